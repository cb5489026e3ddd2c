//! Learning curves as a picture: share of the oracle's lift against impressions on a logarithmic scale, with a band of the
//! 95 % interval over seeds.
//!
//! Guarantees: well-formed SVG without scripts, fonts or anything from elsewhere; names are escaped. Every line ends in a
//! dot of its own colour and dash, so that it can be told apart without colours.

use std::fmt::Write as _;

use crate::simulate::Sums;
use crate::simulate::summary::{Mean, Played, short};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Colours that most eyes can tell apart. Source: Okabe and Ito 2008.
const COLOURS: [&str; 8] =
    ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A"];
const DASHES: [&str; 3] = ["none", "7 3", "2 3"];

/// The picture.
pub fn svg(title: &str, played: &[Played]) -> String {
    let steps: Vec<u64> = played.iter().flat_map(Played::steps).collect();
    let first = steps.iter().copied().min().unwrap_or(1).max(1);
    let last = steps.iter().copied().max().unwrap_or(10).max(first + 1);
    let frame = Frame { first: (first as f64).log10(), last: (last as f64).log10() };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n",
        escape(title)
    );
    frame.axes(&mut out);
    for (number, one) in played.iter().enumerate() {
        frame.curve(&mut out, number, one);
    }
    frame.legend(&mut out, played);
    out.push_str("</svg>\n");
    out
}

struct Frame {
    first: f64,
    last: f64,
}

impl Frame {
    fn x(&self, impressions: u64) -> f64 {
        let share = ((impressions as f64).log10() - self.first) / (self.last - self.first);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// Shares below 0 and above 1 stand on the edge.
    fn y(share: f64) -> f64 {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, out: &mut String) {
        let right = WIDTH - RIGHT;
        for tenth in (0..=10).step_by(2) {
            let (share, y) = (f64::from(tenth) / 10.0, Frame::y(f64::from(tenth) / 10.0));
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for power in self.first.ceil() as u32..=self.last.floor() as u32 {
            let (x, bottom) = (self.x(10u64.pow(power)), HEIGHT - BOTTOM);
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                short(10u64.pow(power))
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">impressions</text>\
             <text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">share of the oracle's lift, cumulative</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 12.0,
            (TOP + HEIGHT - BOTTOM) / 2.0
        );
    }

    fn curve(&self, out: &mut String, number: usize, one: &Played) {
        let points: Vec<(f64, Mean)> =
            one.steps().into_iter().map(|t| (self.x(t), one.at(t, Sums::frac_lift))).collect();
        let (colour, dash) = style(number);
        let edge = |sign: f64| {
            let edge = |(x, mean): &(f64, Mean)| (*x, Frame::y(mean.mean + sign * mean.half.unwrap_or(0.0)));
            points.iter().map(edge).collect::<Vec<_>>()
        };
        let mut band = edge(1.0);
        band.extend(edge(-1.0).into_iter().rev());
        let _ =
            writeln!(out, "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"0.12\"/>", path(&band));
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
            path(&edge(0.0))
        );
        if let Some((x, y)) = edge(0.0).last() {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }

    fn legend(&self, out: &mut String, played: &[Played]) {
        for (number, one) in played.iter().enumerate() {
            let (colour, dash) = style(number);
            let (x, y) = (WIDTH - RIGHT + 16.0, TOP + 10.0 + 20.0 * number as f64);
            let _ = writeln!(
                out,
                "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dash}\"/><text x=\"{}\" y=\"{}\">{}</text>",
                x + 26.0,
                x + 34.0,
                y + 4.0,
                escape(&one.policy)
            );
        }
    }
}

fn style(number: usize) -> (&'static str, &'static str) {
    (COLOURS[number % COLOURS.len()], DASHES[number / COLOURS.len() % DASHES.len()])
}

fn path(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Run;

    fn played(policy: &str, shares: &[f64]) -> Played {
        let runs = shares.iter().enumerate().map(|(seed, share)| {
            let sums =
                |n: f64| Sums { impressions: n, earned: share * n, oracle: n, uniform: 0.0, generic: n };
            Run { seed: seed as u64, points: vec![(1_000, sums(1e3)), (100_000, sums(1e5))], tail: sums(1e4) }
        });
        Played { policy: policy.into(), runs: runs.collect() }
    }

    #[test]
    fn the_picture_holds_a_line_band_and_name_per_policy() {
        let picture = svg("a < b", &[played("one & only", &[0.2, 0.4]), played("other", &[0.9])]);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert_eq!(picture.matches("<polygon").count(), 2);
        assert!(picture.contains("one &amp; only") && picture.contains("a &lt; b"));
        // The mean of 0.2 and 0.4, from the left edge to the right one.
        let y = Frame::y(0.3);
        assert!(picture.contains(&format!("points=\"60.0,{y:.1} 710.0,{y:.1}\" fill=\"none\"")), "{picture}");
        assert!(!picture.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_an_empty_frame() {
        let picture = svg("nothing", &[]);
        assert!(picture.ends_with("</svg>\n") && !picture.contains("NaN"));
    }
}
