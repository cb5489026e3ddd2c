//! The command line: what can be typed, and where it goes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::config::{Config, KEYS, Resolved, Sources, resolve};
use crate::demo;

/// Tessera: decides which creative and which offer a visitor sees, learns from what happens, and proves its lift.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything with simulated visitors and show what it learns
    Demo(DemoArgs),
    /// Run engine, control and analytics in one process
    Serve,
    /// Run only the engine: decisions and events
    Engine,
    /// Run only the control plane: publishing, reports, console
    Control,
    /// Run only the analytics writer: facts, rollups and posteriors
    Analytics {
        #[command(subcommand)]
        command: Option<AnalyticsCommand>,
    },
    /// Build the analytics store anew from journals
    Replay {
        /// Journal directory; once for each engine
        #[arg(long, required = true)]
        from: Vec<PathBuf>,
        /// The store to make, instead of the one in the data directory
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Compile a bundle source directory to a bundle file
    Build {
        /// Directory with catalog.toml and *.rules files
        directory: PathBuf,
        /// The bundle file to write
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Compile a bundle source directory and make it live in the data directory
    Publish {
        /// Directory with catalog.toml and *.rules files
        directory: PathBuf,
    },
    /// Check, format and explain rule files; `tessera rules help` says more
    #[command(disable_help_flag = true)]
    Rules {
        /// What to do, such as `check DIR`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Print a token that shows a tester chosen variants of experiments
    Preview(PreviewArgs),
    /// Let the product play visitors of known taste, beside other ways of choosing, and report what each reaches
    Simulate(Box<commands::simulate::SimulateArgs>),
    /// Estimate from a journal what a bundle would have earned with a posterior table
    Evaluate(commands::evaluate::EvaluateArgs),
    /// Make a key pair that signs bundles
    Keygen {
        /// The file to write the secret key to
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Make, list and revoke API keys of the data port
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show or check the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Ask a running engine whether it is alive
    Health,
    /// Ask a running engine whether it has a bundle to decide from
    Ready,
    /// Print the version
    Version,
}

#[derive(Debug, Subcommand)]
enum AnalyticsCommand {
    /// Compare what became of events with the facts that are stored; exit code 1 when they disagree
    Reconcile,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key and print it
    New {
        /// What the key is for
        #[arg(long)]
        name: String,
        /// What it allows, separated by commas: decide, ingest, explain, admin, trusted
        #[arg(long, default_value = "decide,ingest")]
        scopes: String,
    },
    /// Print names and scopes
    List,
    /// Take a key back
    Revoke {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting with its value and where it came from
    Show,
    /// Check the configuration and say nothing when it is good
    Validate,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How long to simulate visitors, such as 60s or 5m
    #[arg(long = "for", default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub(crate) duration: Duration,
    /// Exit after the summary instead of serving on
    #[arg(long)]
    pub(crate) once: bool,
    /// Visits per second
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Seed of the simulated audience
    #[arg(long, default_value_t = demo::SEED)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// An experiment and the variant of it to see; may be repeated
    #[arg(long = "variant", value_name = "EXPERIMENT=VARIANT", value_parser = parse_wish)]
    pub(crate) wishes: Vec<(String, String)>,
    /// Be held out of personalisation, or surely not; without, as the visitor's hash says
    #[arg(long, value_name = "true|false")]
    pub(crate) held_out: Option<bool>,
    /// How long the token is good, such as 60s or 24h
    #[arg(long = "for", default_value = "24h", value_parser = parse_duration, value_name = "DURATION")]
    pub(crate) duration: Duration,
}

/// Flags that set one setting each, and two that set any.
#[derive(Debug, Args)]
struct SettingFlags {
    /// Configuration file; without, ./tessera.toml is read if it exists
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of bundles, journal, store and keys
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address of the data port
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of the control API and console
    #[arg(long, global = true, value_name = "ADDRESS")]
    control_listen: Option<String>,
    /// Address of health and metrics
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Bundle source directory to publish at start
    #[arg(long, global = true, value_name = "DIR")]
    source: Option<String>,
    /// MaxMind location database
    #[arg(long, global = true, value_name = "FILE")]
    geo: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Set any setting; see `tessera config show`
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl SettingFlags {
    fn sources(&self) -> anyhow::Result<Sources> {
        let own = [
            ("--data-dir", &self.data_dir),
            ("--listen", &self.listen),
            ("--control-listen", &self.control_listen),
            ("--admin-listen", &self.admin_listen),
            ("--source", &self.source),
            ("--geo", &self.geo),
            ("--log-level", &self.log_level),
        ];
        let mut flags = Vec::new();
        for (flag, value) in own {
            let key = KEYS.iter().find(|key| key.flag == Some(flag));
            if let (Some(key), Some(value)) = (key, value) {
                flags.push((key.name.to_owned(), value.clone(), flag.to_owned()));
            }
        }
        for setting in &self.set {
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| anyhow::anyhow!("`--set {setting}`: write --set section.key=value"))?;
            flags.push((name.to_owned(), value.to_owned(), format!("--set {name}")));
        }
        // Variables that are not text cannot be ours: our names and values are.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Sources { flags, environment, file: self.config.clone() })
    }

    fn resolve(&self) -> anyhow::Result<Resolved> {
        Ok(resolve(&self.sources()?)?)
    }
}

/// Parses the command line, runs the command, and turns an error into one line and exit code 1.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            commands::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    // Tools for files and simulations need no settings, and must work beside a broken configuration.
    if let Command::Rules { arguments } = cli.command {
        return Ok(commands::rules::run(arguments));
    }
    match &cli.command {
        Command::Simulate(arguments) => return commands::simulate::run(arguments),
        Command::Evaluate(arguments) => return commands::evaluate::run(arguments),
        _ => {}
    }
    let resolved = cli.settings.resolve()?;
    match cli.command {
        Command::Version => commands::say(env!("CARGO_PKG_VERSION")),
        Command::Config { command: ConfigCommand::Show } => commands::say(resolved.show().trim_end()),
        Command::Config { command: ConfigCommand::Validate } => drop(Config::check(&resolved)?),
        Command::Build { directory, output } => {
            return commands::build::run(&Config::check(&resolved)?, &directory, &output);
        }
        Command::Keygen { output } => return commands::keygen::run(&output),
        Command::Demo(arguments) => return demo::run(&arguments, resolved),
        command => return run_part(&command, &Config::check(&resolved)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_part(command: &Command, config: &Config) -> anyhow::Result<ExitCode> {
    use crate::process::Parts;
    match command {
        Command::Serve => commands::serve::run(config, Parts::ALL),
        Command::Engine => commands::serve::run(config, Parts::ENGINE),
        Command::Control => commands::serve::run(config, Parts::CONTROL),
        Command::Analytics { command: None } => commands::serve::run(config, Parts::ANALYTICS),
        Command::Analytics { command: Some(AnalyticsCommand::Reconcile) } => {
            commands::analytics::reconcile(config)
        }
        Command::Replay { from, to } => commands::replay::run(config, from, to.as_deref()),
        Command::Key { command } => {
            let path = &config.engine.settings.files.access;
            match command {
                KeyCommand::New { name, scopes } => commands::key::new(path, name, scopes),
                KeyCommand::List => commands::key::list(path),
                KeyCommand::Revoke { name } => commands::key::revoke(path, name),
            }
        }
        Command::Publish { directory } => commands::build::publish(config, directory),
        Command::Preview(arguments) => commands::preview::run(config, arguments),
        Command::Health => commands::probe::run(config, "/healthz"),
        _ => commands::probe::run(config, "/readyz"),
    }
}

fn parse_wish(text: &str) -> Result<(String, String), &'static str> {
    let (experiment, variant) = text.split_once('=').ok_or("write EXPERIMENT=VARIANT")?;
    Ok((experiment.to_owned(), variant.to_owned()))
}

fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    crate::config::duration(text)
}
