//! What a monitor came to that failed, was left out or done by hand: its probes go on behind what comes after it.

use hotfix::event::Event;

use crate::fixture::{World, ends};
use crate::terminal::Person;
use crate::watched::{ASKED, Service, asks, begin, breaches, choose, undone, until};

fn steps(service: &Service) -> [String; 2] {
    [
        format!("{{id: m, monitor: {{for: 1h, probes: [{}]}}}}", service.probe()),
        "{id: say, ask: {prompt: What is seen?, into: seen}}".to_owned(),
    ]
}

#[test]
fn a_monitor_that_failed_measures_on_while_it_is_asked_and_watches_on_once_it_is_left_out() {
    let (world, service) = (World::new(), Service::begin());
    service.set_down(true);
    let mut person = begin(&world, &steps(&service));
    asks(&mut person, "s/m failed: the gate came to fail: health");
    // Nobody has said anything yet, and it is measured all the same: it asks no second time.
    service.is_asked(20);
    assert_eq!(breaches(&world.events()), 1);
    service.set_down(false);
    choose(&mut person, "s/m failed", 3);
    asks(&mut person, "Why");
    person.types("known\r");
    person.sees(&["s/m watches on, behind the later steps."]);
    asks(&mut person, "What is seen?");
    person.types("half");
    service.set_down(true);
    let seen = asks(&mut person, ASKED);
    assert!(seen.contains("says s/m"), "{seen}");
    choose(&mut person, ASKED, 1);
    asks(&mut person, "Take production back to v1.2.3?");
    person.types("v1.2.3\r");
    assert_eq!(person.code().0, 10);
    assert_eq!(undone(&world), "back\n");
}

#[test]
fn a_monitor_that_was_done_by_hand_watches_on_and_does_so_after_an_interruption() {
    let (world, service) = (World::new(), Service::begin());
    let mut person = begin(&world, &steps(&service));
    person.sees(&["Watching for", "r roll back"]);
    service.set_down(true);
    asks(&mut person, "s/m failed: the gate came to fail: health");
    service.set_down(false);
    choose(&mut person, "s/m failed", 2);
    asks(&mut person, "What was done");
    person.types("looked at it\r");
    asks(&mut person, "What is seen?");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);

    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["s/m watches on, behind the later steps."]);
    asks(&mut person, "What is seen?");
    service.set_down(true);
    until(&world, |events| breaches(events) == 2);
    asks(&mut person, ASKED);
    service.set_down(false);
    choose(&mut person, ASKED, 2);
    asks(&mut person, "What is seen?");
    person.types("nothing\r");
    assert_eq!(person.code().0, 0);
    assert!(world.events().iter().any(|event| matches!(event, Event::RunFinished {})));
}

#[test]
fn a_monitor_that_fails_without_a_terminal_pauses_the_run_and_waits_for_nobody() {
    let (world, service) = (World::new(), Service::begin());
    let mut person = begin(&world, &steps(&service));
    person.sees(&["Watching for", "r roll back"]);
    person.types("\u{3}");
    choose(&mut person, "The watch goes on meanwhile", 4);
    assert_eq!(person.code().0, 9);

    ends(&world.hotfix(&["resume", "--detach"]), 0);
    service.is_asked(1);
    service.set_down(true);
    let paused =
        |event: &Event| matches!(event, Event::RunPaused { reason } if reason.contains("the gate came to fail"));
    until(&world, |events| events.iter().any(paused));
    // Who has gone once comes to no other end, and nothing is said to be watched on by it.
    let said = ends(&world.hotfix(&["resume", "--detach"]), 5);
    assert!(said.contains("does not go on without a terminal") && !said.contains("watch on without"), "{said}");
}

#[test]
fn a_breach_is_asked_about_again_where_the_rollback_that_was_chosen_did_not_begin() {
    let (world, service) = (World::new(), Service::begin());
    let mut person = begin(&world, &steps(&service).map(|step| step.replace("for: 1h", "for: 300ms")));
    asks(&mut person, "What is seen?");
    service.set_down(true);
    choose(&mut person, ASKED, 1);
    asks(&mut person, "Take production back to v1.2.3?");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);

    // Whatever it reads from now on, nobody has said that it is to go on.
    service.set_down(false);
    let mut person = Person::at(&world, &["resume"]);
    let seen = asks(&mut person, ASKED);
    assert!(seen.contains("3 failed, more than the 2 allowed"), "{seen}");
    choose(&mut person, ASKED, 2);
    asks(&mut person, "What is seen?");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    // Somebody has by now.
    let mut person = Person::at(&world, &["resume"]);
    let seen = asks(&mut person, "What is seen?");
    assert!(!seen.contains(ASKED), "{seen}");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}
