//! When the incident began that `hotfix start` is about.

use std::io::Write as _;

use super::console::{Console, Lang};
use super::drive::block_on;
use super::{Exit, Trouble};
use crate::clock::{Clock as _, SystemClock, Timestamp, brief};
use crate::operator::{Answer, Form, Presence, Purpose, Question, Signal, Unanswered};
use crate::since::since;

/// What is asked, and said where there is nowhere to note anything yet.
struct Words {
    ask: &'static str,
    no_log: &'static str,
}

const ENGLISH: Words = Words {
    ask: "When did the incident begin? now, a time of day (02:40), or how long ago (25m). Escalation counts from then.",
    no_log: "There is no log yet to note this in: note it once the run has begun.",
};
const CHINESE: Words = Words {
    ask: "事件何时开始？请输入 now（现在）、时刻（02:40）或已过多久（25m）。升级时间从那时算起。",
    no_log: "日志尚未建立，无法记录：请在运行开始后再添加备注。",
};

/// The moment that `--since` says.
pub(super) fn given(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Trouble> {
    let at = text.map(|text| since(text, now)).transpose();
    at.map_err(|why| Trouble::new(Exit::Usage, format!("--since {why}")))
}

/// When the incident began: as it was given, else as a person at the terminal says. Without one it begins with the run.
pub(super) fn began(
    given: Option<Timestamp>,
    (operator, _): &Console,
    language: Lang,
) -> Result<Option<Timestamp>, Trouble> {
    if given.is_some() || operator.presence() == Presence::File {
        return Ok(given);
    }
    let words = if language == Lang::Zh { CHINESE } else { ENGLISH };
    let (step, prompt) = ("start".to_owned(), words.ask.to_owned());
    let (purpose, form, menu) = (Purpose::Step, Form::Text, Vec::new());
    let question = Question { step, purpose, prompt, form, menu, output: None, measured: Vec::new() };
    loop {
        let over = match block_on(operator.ask(&question))? {
            Ok(Answer::Text(text)) => match since(&text, SystemClock.now()) {
                Ok(at) => return Ok(Some(at)),
                Err(why) => {
                    writeln!(super::said::stderr(), "{why}")?;
                    continue;
                }
            },
            Err(Unanswered::Note(_)) => {
                writeln!(super::said::stderr(), "{}", words.no_log)?;
                continue;
            }
            Err(Unanswered::Interrupted(Signal::Term)) => Exit::Terminated,
            Err(Unanswered::Interrupted(Signal::Hup)) => Exit::HungUp,
            Err(Unanswered::Interrupted(Signal::Int)) => Exit::Interrupted,
            Ok(_) | Err(Unanswered::Menu { .. } | Unanswered::Missing) => Exit::Unanswered,
        };
        return Err(Trouble::new(over, "nothing has begun"));
    }
}

/// What is said of it once the run has begun.
pub(super) fn words(at: Timestamp, now: Timestamp) -> String {
    let ago = brief(now.since(at));
    format!(
        "The incident began at {} ({ago} ago): escalation and every elapsed time count from then.",
        at.local_in_full()
    )
}
