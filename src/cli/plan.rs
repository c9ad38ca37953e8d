//! `hotfix plan`.

use clap::Args;

use super::console::Look;
use super::start::Target;
use super::{Exit, Trouble};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    show(&arguments.target, look)
}

pub(super) fn show(_target: &Target, _look: &Look) -> Result<Exit, Trouble> {
    Ok(Exit::Success)
}
