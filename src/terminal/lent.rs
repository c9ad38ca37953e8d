//! The terminal in the hands of a command of a step.

use super::Terminal;
use super::prompt::Session;
use super::tty::Gone;
use crate::operator::{Signal, Unanswered};
use crate::process::{Left, Loan, lend};

impl Terminal {
    /// Lends the terminal to a command of a step. What was typed before is not for it.
    pub(super) async fn lent(&self, loan: &Loan) -> Result<Left, Unanswered> {
        let gone = || Unanswered::Interrupted(Signal::Hup);
        let mut session = Session::open(self).map_err(|Gone| gone())?;
        session.discard();
        let lent = self.canvas.lend();
        super::canvas::write("\x1b[?2004l");
        let (other, found) = self.tty.transparent().map_err(|_| gone())?;
        let left = lend(loan, self.tty.device(), &found).await;
        drop((other, lent));
        super::canvas::write("\x1b[?2004h\x1b[?25h");
        session.discard();
        left.map_err(|_| gone())
    }
}
