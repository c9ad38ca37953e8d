//! What a file of answers answers, and what it leaves unanswered.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use hotfix::operator::scripted::Scripted;
use hotfix::operator::{Answer, Form, Item, Operator, Purpose, Question, Unanswered, Way};

fn scripted(text: &str) -> Scripted {
    Scripted::parse(text, BTreeMap::new()).unwrap()
}

fn question(step: &str, purpose: Purpose, form: Form) -> Question {
    Question { step: step.into(), purpose, prompt: "?".into(), form, menu: vec![], output: None, measured: vec![] }
}

fn ask_for(answers: &Scripted, step: &str, purpose: Purpose, form: Form) -> Result<Answer, Unanswered> {
    let question = question(step, purpose, form);
    match pin!(answers.ask(&question)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a file of answers never waits"),
    }
}

fn ask(answers: &Scripted, form: Form) -> Result<Answer, Unanswered> {
    ask_for(answers, "a/b", Purpose::Step, form)
}

fn text(text: &str) -> Answer {
    Answer::Text(text.into())
}

fn items() -> Form {
    Form::Checklist(vec![
        Item { text: "one".into(), optional: false },
        Item { text: "two".into(), optional: true },
        Item { text: "three".into(), optional: false },
    ])
}

fn ways() -> Form {
    Form::Way(vec![Way::Retry, Way::Done, Way::Skip, Way::Rollback, Way::Pause])
}

#[test]
fn each_form_takes_its_own_answer() {
    let choices = || vec!["SEV1".to_owned(), "SEV2".to_owned()];
    let shell = || Form::Shell { dir: "/".into(), env: vec![] };
    let approve = || Form::Approve { not: "ann".into() };
    let checked = |texts: &[&str]| Answer::Checked(texts.iter().map(|&text| text.to_owned()).collect());
    let cases = [
        ("yes", Form::Confirm, Answer::Yes),
        ("no", Form::Confirm, Answer::No),
        ("v1.2.4", Form::Typed { expected: "v1.2.4".into() }, text("v1.2.4")),
        ("why it broke", Form::Text, text("why it broke")),
        ("1234", Form::Text, text("1234")),
        ("|\n  two\n  lines\n", Form::Editor { initial: String::new() }, text("two\nlines\n")),
        ("2.5", Form::Number, Answer::Number(2.5)),
        ("SEV2", Form::Choice(choices()), text("SEV2")),
        ("[[SEV1, SEV2]]", Form::Choices(choices()), Answer::Choices(choices())),
        ("SEV1", Form::Choices(choices()), Answer::Choices(vec!["SEV1".into()])),
        ("all", items(), checked(&["one", "two", "three"])),
        ("[[one, three]]", items(), checked(&["one", "three"])),
        ("{approve: bob, note: seen}", approve(), Answer::Approved { name: "bob".into(), note: "seen".into() }),
        ("{skip: alone}", approve(), Answer::NotApproved { reason: "alone".into() }),
        ("done", Form::Hand, Answer::Done { note: None }),
        ("{done: by phone}", Form::Hand, Answer::Done { note: Some("by phone".into()) }),
        ("make fix", shell(), Answer::Command("make fix".into())),
        ("done", shell(), Answer::Done { note: None }),
        ("rollback", ways(), Answer::Way { way: Way::Rollback, reason: None }),
        ("{skip: known}", ways(), Answer::Way { way: Way::Skip, reason: Some("known".into()) }),
    ];
    for (answer, form, expected) in cases {
        let answers = scripted(&format!("a/b: {answer}\n"));
        assert_eq!(ask(&answers, form.clone()), Ok(expected), "{answer} to {form:?}");
        assert_eq!(ask(&answers, form), Err(Unanswered::Missing), "{answer} is used up");
    }
}

#[test]
fn what_does_not_fit_is_missing_and_not_used() {
    let answers = scripted("a/b: [yes, retry]\n");
    assert_eq!(ask(&answers, ways()), Err(Unanswered::Missing));
    assert_eq!(ask(&answers, Form::Confirm), Ok(Answer::Yes));
    assert_eq!(ask(&answers, Form::Confirm), Err(Unanswered::Missing));
    assert_eq!(ask(&answers, ways()), Ok(Answer::Way { way: Way::Retry, reason: None }));
    let misfits = [
        ("true", Form::Confirm),
        ("", Form::Confirm),
        ("''", Form::Text),
        ("v1.2.3", Form::Typed { expected: "v1.2.4".into() }),
        ("[[one]]", items()),
        ("[[one, three, four]]", items()),
        ("done", items()),
        ("{approve: ANN, note: mine}", Form::Approve { not: "ann".into() }),
        ("skip", ways()),
        ("{skip: ''}", ways()),
        ("again", ways()),
        ("NaN-ish", Form::Number),
    ];
    for (answer, form) in misfits {
        let answers = scripted(&format!("a/b: {answer}\n"));
        assert_eq!(ask(&answers, form.clone()), Err(Unanswered::Missing), "{answer} to {form:?}");
    }
}

#[test]
fn counting_goes_on_from_what_the_journal_says() {
    let used = BTreeMap::from([("a/b".to_owned(), 2)]);
    let answers = Scripted::parse("a/b: [one, two, three]\n", used).unwrap();
    assert_eq!(ask(&answers, Form::Text), Ok(text("three")));
    assert_eq!(ask(&answers, Form::Text), Err(Unanswered::Missing));
}

#[test]
fn repetitions_share_the_list_of_their_step() {
    let used = BTreeMap::from([("a/g/s.1".to_owned(), 1)]);
    let answers = Scripted::parse("a/g/s: [one, two, three]\na/g/s.3: special\n", used).unwrap();
    let text_of = |step| ask_for(&answers, step, Purpose::Step, Form::Text);
    assert_eq!(text_of("a/g/s.2"), Ok(text("two")));
    assert_eq!(text_of("a/g/s.3"), Ok(text("special")));
    assert_eq!(text_of("a/g/s.4"), Ok(text("three")));
}

#[test]
fn a_pattern_covers_notes_checklists_and_work_by_hand_only() {
    let answers = scripted("a/*: done\n");
    assert_eq!(ask_for(&answers, "a/x", Purpose::Step, Form::Hand), Ok(Answer::Done { note: None }));
    let checked = Answer::Checked(vec!["one".into(), "two".into(), "three".into()]);
    assert_eq!(ask_for(&answers, "a/y", Purpose::Step, items()), Ok(checked));
    assert_eq!(ask_for(&answers, "a/z", Purpose::Failure, ways()), Err(Unanswered::Missing));
    assert_eq!(ask_for(&answers, "b/x", Purpose::Step, Form::Hand), Err(Unanswered::Missing));
    let typed = Form::Typed { expected: "done".into() };
    assert_eq!(ask_for(&answers, "a/p", Purpose::Production, typed), Err(Unanswered::Missing));
    let all = scripted("'*': yes\n");
    for form in [Form::Confirm, Form::Text, Form::Approve { not: "ann".into() }] {
        assert_eq!(ask(&all, form), Err(Unanswered::Missing));
    }
}

#[test]
fn a_step_named_in_full_never_falls_back_on_a_pattern() {
    let answers = scripted("a/*: done\na/b: no\n");
    assert_eq!(ask(&answers, Form::Hand), Err(Unanswered::Missing));
}

#[test]
fn rollback_is_answered_by_its_own_key_alone() {
    let answers = scripted("rollback: yes\na/b: yes\nabort: yes\n");
    let typed = || Form::Typed { expected: "v1.2.3".into() };
    for purpose in [Purpose::Step, Purpose::Aftermath] {
        assert_eq!(ask_for(&answers, "rollback", purpose, Form::Confirm), Err(Unanswered::Missing));
    }
    assert_eq!(ask_for(&answers, "rollback", Purpose::Rollback, typed()), Ok(text("v1.2.3")));
    assert_eq!(ask_for(&answers, "rollback", Purpose::Rollback, typed()), Err(Unanswered::Missing));
    assert_eq!(ask_for(&answers, "abort", Purpose::Rollback, typed()), Err(Unanswered::Missing));
    let without = scripted("a/b: yes\n'*': yes\n");
    assert_eq!(ask_for(&without, "rollback", Purpose::Rollback, typed()), Err(Unanswered::Missing));
}

#[test]
fn keys_that_name_no_step_are_told_with_the_nearest_name() {
    let answers =
        scripted("stage/deplyo: yes\nstage/check: yes\nrollback: yes\nstage/*: done\nnone/*: done\nstage/g/s.2: x\n");
    let steps = ["stage/deploy", "stage/check", "stage/g/s"].map(str::to_owned);
    let told: Vec<_> = answers.check_known(&steps).into_iter().map(|unknown| unknown.to_string()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|line| line.contains("`stage/deplyo`; did you mean `stage/deploy`?")), "{told:?}");
}

#[test]
fn a_file_that_is_no_mapping_is_refused() {
    assert!(Scripted::parse("- yes\n", BTreeMap::new()).is_err());
    let twice = Scripted::parse("a/b: yes\nc: no\na/b: no\n", BTreeMap::new()).unwrap_err().to_string();
    assert_eq!(
        twice,
        "the answers cannot be read: duplicate mapping key `a/b` is not allowed here at line 3, column 1"
    );
    assert!(Scripted::parse("", BTreeMap::new()).unwrap().check_known(&[]).is_empty());
}
