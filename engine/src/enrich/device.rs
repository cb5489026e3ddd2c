//! What kind of device is asking: class, operating system family and browser family.
//!
//! Client hints decide when the browser sends them, because they say it plainly; a user agent that calls itself a bot
//! is a bot whatever its hints say. Neither is kept: only the three codes leave this module.
//!
//! Cost: one automaton pass over at most [`USER_AGENT_BYTES_MAX`] bytes, about 0.4 µs, no allocation.
//! Not here: models and versions, which nobody needs to decide; iPads that pose as Macs, which only the SDK can tell.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::limits::{CLIENT_HINT_BYTES_MAX, USER_AGENT_BYTES_MAX};
use super::prefix;

/// Device class; the discriminant is the index into `wire::signal::DEVICE_TYPES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceType {
    /// A phone.
    Mobile,
    /// A desktop or laptop computer.
    Desktop,
    /// A tablet.
    Tablet,
    /// A television or a box behind one.
    Tv,
    /// An automatic client that says so.
    Bot,
    /// Anything else, or unknown.
    Other,
}

/// Operating system family; the discriminant is the index into `wire::signal::DEVICE_OSES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceOs {
    /// iOS and iPadOS.
    Ios,
    /// Android and its forks.
    Android,
    /// Windows.
    Windows,
    /// macOS.
    MacOs,
    /// Linux other than Android and ChromeOS.
    Linux,
    /// ChromeOS.
    ChromeOs,
    /// Anything else, or unknown.
    Other,
}

/// Browser family; the discriminant is the index into `wire::signal::DEVICE_BROWSERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceBrowser {
    /// Chrome, Chromium and browsers that do not name themselves.
    Chrome,
    /// Safari.
    Safari,
    /// Firefox.
    Firefox,
    /// Edge.
    Edge,
    /// Samsung Internet.
    Samsung,
    /// Opera.
    Opera,
    /// Anything else, or unknown.
    Other,
}

/// What is known of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device {
    /// Class.
    pub device_type: DeviceType,
    /// Operating system family.
    pub os: DeviceOs,
    /// Browser family.
    pub browser: DeviceBrowser,
}

impl Device {
    /// Nothing is known.
    pub const UNKNOWN: Device =
        Device { device_type: DeviceType::Other, os: DeviceOs::Other, browser: DeviceBrowser::Other };

    const BOT: Device =
        Device { device_type: DeviceType::Bot, os: DeviceOs::Other, browser: DeviceBrowser::Other };

    /// Did the client say that it is automatic? Such requests are not learned from.
    pub fn is_bot(self) -> bool {
        self.device_type == DeviceType::Bot
    }
}

/// The low-entropy client hints, as sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientHints<'a> {
    /// `Sec-CH-UA-Mobile`.
    pub mobile: Option<&'a str>,
    /// `Sec-CH-UA-Platform`.
    pub platform: Option<&'a str>,
    /// `Sec-CH-UA`.
    pub brands: Option<&'a str>,
}

/// The token table could not be built; the engine does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot build the device token table")]
pub struct DeviceTableError(#[from] BuildError);

/// What a token of a user agent tells. Order is the bit order of [`Seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Token {
    Bot,
    CubotPhone,
    IPhone,
    IPad,
    Android,
    WindowsPhone,
    Windows,
    Mac,
    ChromeOs,
    Linux,
    Tv,
    TabletWord,
    MobileWord,
    FeaturePhone,
    Console,
    Edge,
    Opera,
    Samsung,
    Firefox,
    Chrome,
    Safari,
    OtherBrowser,
}

/// The words that matter, lower case; matching ignores case.
const TOKENS: [(&str, Token); 93] = [
    ("bot", Token::Bot),
    ("cubot", Token::CubotPhone),
    ("crawler", Token::Bot),
    ("spider", Token::Bot),
    ("slurp", Token::Bot),
    ("facebookexternalhit", Token::Bot),
    ("headlesschrome", Token::Bot),
    ("mediapartners-google", Token::Bot),
    ("google-inspectiontool", Token::Bot),
    ("apis-google", Token::Bot),
    ("feedfetcher", Token::Bot),
    ("ia_archiver", Token::Bot),
    ("lighthouse", Token::Bot),
    ("phantomjs", Token::Bot),
    ("pingdom", Token::Bot),
    ("scrapy", Token::Bot),
    ("curl/", Token::Bot),
    ("wget/", Token::Bot),
    ("python-", Token::Bot),
    ("aiohttp", Token::Bot),
    ("go-http-client", Token::Bot),
    ("libwww-perl", Token::Bot),
    ("node-fetch", Token::Bot),
    ("axios/", Token::Bot),
    ("apache-httpclient", Token::Bot),
    ("whatsapp/", Token::Bot),
    ("iphone", Token::IPhone),
    ("ipod", Token::IPhone),
    ("ipad", Token::IPad),
    ("android", Token::Android),
    ("silk/", Token::Android),
    ("windows phone", Token::WindowsPhone),
    ("iemobile", Token::WindowsPhone),
    ("windows nt", Token::Windows),
    ("macintosh", Token::Mac),
    ("cros ", Token::ChromeOs),
    ("linux", Token::Linux),
    ("x11;", Token::Linux),
    ("smart-tv", Token::Tv),
    ("smarttv", Token::Tv),
    ("smart tv", Token::Tv),
    ("android tv", Token::Tv),
    ("googletv", Token::Tv),
    ("google tv", Token::Tv),
    ("appletv", Token::Tv),
    ("apple tv", Token::Tv),
    ("hbbtv", Token::Tv),
    ("netcast", Token::Tv),
    ("web0s", Token::Tv),
    ("bravia", Token::Tv),
    ("viera", Token::Tv),
    ("crkey", Token::Tv),
    ("roku", Token::Tv),
    ("; aft", Token::Tv),
    ("tv box", Token::Tv),
    ("shield android", Token::Tv),
    ("tablet", Token::TabletWord),
    ("kindle", Token::TabletWord),
    ("mobile", Token::MobileWord),
    ("phone;", Token::MobileWord),
    ("kaios", Token::FeaturePhone),
    ("opera mini", Token::FeaturePhone),
    ("blackberry", Token::FeaturePhone),
    ("symbian", Token::FeaturePhone),
    ("midp", Token::FeaturePhone),
    ("nokia", Token::FeaturePhone),
    ("playstation", Token::Console),
    ("nintendo", Token::Console),
    ("xbox", Token::Console),
    ("edg/", Token::Edge),
    ("edge/", Token::Edge),
    ("edga/", Token::Edge),
    ("edgios/", Token::Edge),
    ("opr/", Token::Opera),
    ("opera", Token::Opera),
    ("opios/", Token::Opera),
    ("opt/", Token::Opera),
    ("opx/", Token::Opera),
    ("samsungbrowser", Token::Samsung),
    ("firefox/", Token::Firefox),
    ("fxios/", Token::Firefox),
    ("focus/", Token::Firefox),
    ("chrome/", Token::Chrome),
    ("crios/", Token::Chrome),
    ("chromium/", Token::Chrome),
    ("safari/", Token::Safari),
    ("ucbrowser", Token::OtherBrowser),
    ("yabrowser", Token::OtherBrowser),
    ("miuibrowser", Token::OtherBrowser),
    ("huaweibrowser", Token::OtherBrowser),
    ("whale/", Token::OtherBrowser),
    ("fban/", Token::OtherBrowser),
    ("instagram", Token::OtherBrowser),
];

/// The tokens found in one user agent.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    bits: u32,
    bot_words: u8,
    cubot_words: u8,
}

impl Seen {
    fn has(self, token: Token) -> bool {
        self.bits & (1 << token as u8) != 0
    }

    /// Cubot phones carry the letters of a bot in their model name.
    fn is_bot(self) -> bool {
        self.bot_words > self.cubot_words
    }
}

/// Classifies devices. Build one at start and share it.
#[derive(Debug)]
pub struct DeviceClassifier {
    automaton: AhoCorasick,
}

impl DeviceClassifier {
    /// Builds the token automaton.
    ///
    /// # Errors
    ///
    /// [`DeviceTableError`] when the automaton cannot be built, which the fixed token table does not cause.
    pub fn new() -> Result<DeviceClassifier, DeviceTableError> {
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .ascii_case_insensitive(true)
            .build(TOKENS.iter().map(|(word, _)| word))?;
        Ok(DeviceClassifier { automaton })
    }

    /// The device behind a request.
    pub fn classify(&self, hints: &ClientHints<'_>, user_agent: Option<&str>) -> Device {
        let seen = self.scan(user_agent.unwrap_or(""));
        if seen.is_bot() || hints.brands.is_some_and(|brands| brands.contains("HeadlessChrome")) {
            return Device::BOT;
        }
        from_hints(hints, seen).unwrap_or_else(|| from_tokens(seen))
    }

    fn scan(&self, user_agent: &str) -> Seen {
        let bytes = user_agent.as_bytes();
        let bytes = &bytes[..bytes.len().min(USER_AGENT_BYTES_MAX)];
        let mut seen = Seen::default();
        for found in self.automaton.find_overlapping_iter(bytes) {
            let token = TOKENS[found.pattern().as_usize()].1;
            seen.bits |= 1 << token as u8;
            match token {
                Token::Bot => seen.bot_words = seen.bot_words.saturating_add(1),
                Token::CubotPhone => seen.cubot_words = seen.cubot_words.saturating_add(1),
                _ => {}
            }
        }
        seen
    }
}

/// The device, if the browser sent platform and mobile hints.
fn from_hints(hints: &ClientHints<'_>, seen: Seen) -> Option<Device> {
    let is_mobile = match hints.mobile?.trim() {
        "?1" => true,
        "?0" => false,
        _ => return None,
    };
    let os = match hints.platform?.trim().trim_matches('"') {
        "Android" => DeviceOs::Android,
        "Windows" => DeviceOs::Windows,
        "macOS" => DeviceOs::MacOs,
        "Linux" => DeviceOs::Linux,
        "Chrome OS" | "Chromium OS" => DeviceOs::ChromeOs,
        "iOS" => DeviceOs::Ios,
        _ => return None,
    };
    let device_type = match os {
        _ if seen.has(Token::Tv) => DeviceType::Tv,
        _ if is_mobile => DeviceType::Mobile,
        DeviceOs::Android | DeviceOs::Ios => DeviceType::Tablet,
        _ => DeviceType::Desktop,
    };
    let browser =
        hints.brands.and_then(brand_of).unwrap_or_else(|| browser_of(seen, os == DeviceOs::Android));
    Some(Device { device_type, os, browser })
}

/// The browser of a brand list. Every Chromium browser lists Chromium too, so its own name goes first.
fn brand_of(brands: &str) -> Option<DeviceBrowser> {
    let brands = prefix(brands, CLIENT_HINT_BYTES_MAX);
    if brands.contains("Microsoft Edge") {
        Some(DeviceBrowser::Edge)
    } else if brands.contains("\"Opera") {
        Some(DeviceBrowser::Opera)
    } else if brands.contains("Samsung Internet") {
        Some(DeviceBrowser::Samsung)
    } else if brands.contains("YaBrowser") || brands.contains("\"Whale") {
        Some(DeviceBrowser::Other)
    } else if brands.contains("Chrome") || brands.contains("Chromium") {
        Some(DeviceBrowser::Chrome)
    } else {
        None
    }
}

fn from_tokens(seen: Seen) -> Device {
    let os = os_of(seen);
    Device {
        device_type: type_of(seen, os),
        os,
        browser: browser_of(seen, matches!(os, DeviceOs::Android | DeviceOs::Windows)),
    }
}

/// Phones imitate each other, so the rarer claim goes first: Windows Phone says Android and iPhone too.
fn os_of(seen: Seen) -> DeviceOs {
    if seen.has(Token::WindowsPhone) {
        DeviceOs::Windows
    } else if seen.has(Token::IPhone) || seen.has(Token::IPad) {
        DeviceOs::Ios
    } else if seen.has(Token::Android) {
        DeviceOs::Android
    } else if seen.has(Token::Windows) {
        DeviceOs::Windows
    } else if seen.has(Token::Mac) {
        DeviceOs::MacOs
    } else if seen.has(Token::ChromeOs) {
        DeviceOs::ChromeOs
    } else if seen.has(Token::Linux) {
        DeviceOs::Linux
    } else {
        DeviceOs::Other
    }
}

fn type_of(seen: Seen, os: DeviceOs) -> DeviceType {
    if seen.has(Token::Tv) {
        return DeviceType::Tv;
    }
    if seen.has(Token::Console) {
        return DeviceType::Other;
    }
    if seen.has(Token::IPad) || seen.has(Token::TabletWord) {
        return DeviceType::Tablet;
    }
    if seen.has(Token::WindowsPhone) || seen.has(Token::FeaturePhone) {
        return DeviceType::Mobile;
    }
    let says_mobile = seen.has(Token::MobileWord);
    match os {
        DeviceOs::Ios => DeviceType::Mobile,
        // Android browsers on tablets leave the word out.
        DeviceOs::Android if says_mobile => DeviceType::Mobile,
        DeviceOs::Android => DeviceType::Tablet,
        DeviceOs::Windows | DeviceOs::MacOs | DeviceOs::ChromeOs => DeviceType::Desktop,
        DeviceOs::Linux | DeviceOs::Other if says_mobile => DeviceType::Mobile,
        DeviceOs::Linux => DeviceType::Desktop,
        DeviceOs::Other => DeviceType::Other,
    }
}

/// Browsers name their ancestors, so the youngest name wins.
fn browser_of(seen: Seen, never_safari: bool) -> DeviceBrowser {
    if seen.has(Token::OtherBrowser) {
        DeviceBrowser::Other
    } else if seen.has(Token::Edge) {
        DeviceBrowser::Edge
    } else if seen.has(Token::Opera) {
        DeviceBrowser::Opera
    } else if seen.has(Token::Samsung) {
        DeviceBrowser::Samsung
    } else if seen.has(Token::Firefox) {
        DeviceBrowser::Firefox
    } else if seen.has(Token::Chrome) {
        DeviceBrowser::Chrome
    } else if seen.has(Token::Safari) && !never_safari {
        DeviceBrowser::Safari
    } else {
        DeviceBrowser::Other
    }
}
