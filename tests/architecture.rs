//! The rules of the house, checked on the sources themselves (docs/architecture.md).
//!
//! Every check is a pure function from files to offences (`path:line: what is wrong`), so that each is shown to fail on
//! a small made-up source before it is believed about the real ones.

#[cfg(test)]
mod guards;

#[cfg(test)]
mod tests {
    use super::guards::{
        File, floors, names, no_panics, opening_words, panicking, purity, root, short_files,
        sources, test_only,
    };

    /// The offences of a check on one made-up file.
    fn of(check: fn(&[File]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        check(&[File::new(path, text)])
    }

    #[track_caller]
    fn none(offences: &[String]) {
        assert!(
            offences.is_empty(),
            "{} offences:\n{}",
            offences.len(),
            offences.join("\n")
        );
    }

    fn all() -> Vec<File> {
        let files = sources(
            &root(),
            &["src", "entity", "migration", "tests", "benches", "examples"],
        );
        assert!(
            files.len() > 100,
            "only {} files found: the guards would prove nothing",
            files.len()
        );
        files
    }

    fn under(folder: &str) -> Vec<File> {
        let files = sources(&root(), &[folder]);
        assert!(
            files.len() > 5,
            "only {} files in {folder}: the guards would prove nothing",
            files.len()
        );
        files
    }

    // --- the sources as they are -------------------------------------------------------------------------------

    #[test]
    fn modules_import_only_from_their_left() {
        let files = under("src");
        let seen: usize = files.iter().map(|file| file.imports().len()).sum();
        assert!(
            seen > 200,
            "only {seen} imports understood: the guard would prove nothing"
        );
        none(&floors::check(&files));
    }

    #[test]
    fn no_file_has_a_name_that_says_nothing() {
        none(&names(&all()));
    }

    #[test]
    fn files_stay_short() {
        none(&short_files(&all()));
    }

    #[test]
    fn every_feature_opens_with_what_it_owns() {
        none(&opening_words(&under("src")));
    }

    #[test]
    fn nothing_panics_outside_tests() {
        none(&no_panics(&sources(
            &root(),
            &["src", "entity", "migration"],
        )));
    }

    #[test]
    fn nothing_but_the_payment_room_leads_to_a_transfer() {
        none(&super::guards::transfers(&under("src")));
    }

    #[test]
    fn the_rule_engine_is_pure() {
        none(&purity(&under("src/rule")));
    }

    #[test]
    fn migrations_do_not_know_the_entities() {
        let manifest = std::fs::read_to_string(root().join("migration/Cargo.toml")).unwrap();
        assert!(
            !manifest
                .lines()
                .any(|line| line.trim_start().starts_with("entity")),
            "migration depends on entity"
        );
        none(&super::guards::migrations(&under("migration")));
    }

    // --- and the guards themselves -----------------------------------------------------------------------------

    #[test]
    fn an_import_from_the_right_is_found_however_it_is_written() {
        for text in [
            "use crate::booking::Booking;",
            "use crate::{kernel::Result, booking::{self}};",
            "fn f() { crate::booking::book(); }",
            "fn f() { let x: Vec<crate :: booking :: Booking>; }",
            "use super::super::booking::Booking;",
            "mod inner { use super::super::super::booking::Booking; }",
            "use crate::{\n    kernel::Result,\n    booking as b,\n};",
        ] {
            let found = of(floors::check, "src/outbox/relay.rs", text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("src/outbox/relay.rs:"), "{found:?}");
        }
        let found = of(
            floors::check,
            "src/outbox/relay.rs",
            "\n\nuse crate::report::Funnel;\n",
        );
        assert!(found[0].starts_with("src/outbox/relay.rs:3: "), "{found:?}");
    }

    #[test]
    fn an_import_from_the_left_or_from_home_is_fine() {
        let text = "use crate::{kernel::{AppError, Result}, outbox::append, booking::slot::Cell};\n\
                    // crate::report::Funnel\n/* crate::app /* crate::app */ */\n/// [`crate::cli::Lang`]\n\
                    const A: &str = \"crate::app\"; const B: &str = r#\"crate::\"app\"#; const C: char = '\"';\n\
                    fn f<'a>(x: &'a str) { super::slot::cells(x); }\n";
        none(&of(floors::check, "src/booking/reserve.rs", text));
    }

    #[test]
    fn shared_capabilities_stand_in_a_row() {
        assert_eq!(
            of(
                floors::check,
                "src/outbox/mod.rs",
                "use crate::audit::record;"
            )
            .len(),
            1
        );
        assert_eq!(
            of(
                floors::check,
                "src/audit/mod.rs",
                "use crate::identity::Actor;"
            )
            .len(),
            1
        );
        none(&of(
            floors::check,
            "src/identity/mod.rs",
            "use crate::{outbox::append, audit::record};",
        ));
    }

    #[test]
    fn of_another_feature_only_its_front_door_may_be_used() {
        let found = of(
            floors::check,
            "src/booking/mod.rs",
            "use crate::payment::store::find;",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        let found = of(
            floors::check,
            "src/report/mod.rs",
            "use crate::payment::{store::{find, save}, Paid};",
        );
        assert_eq!(found.len(), 2, "{found:?}");
        none(&of(
            floors::check,
            "src/booking/mod.rs",
            "use crate::payment::{Paid, refund}; use crate::payment::Paid::New;",
        ));
        none(&of(
            floors::check,
            "src/booking/mod.rs",
            "use crate::platform::wechat::WechatClient;",
        ));
    }

    #[test]
    fn the_rule_engine_may_use_the_kernel_alone_and_nobody_below_it_may_use_the_engine() {
        assert_eq!(
            of(
                floors::check,
                "src/rule/mod.rs",
                "use crate::platform::Ctx;"
            )
            .len(),
            1
        );
        assert_eq!(
            of(
                floors::check,
                "src/rating/mod.rs",
                "use crate::rule::RuleSet;"
            )
            .len(),
            1
        );
        none(&of(
            floors::check,
            "src/rule/mod.rs",
            "use crate::kernel::Result;",
        ));
        none(&of(
            floors::check,
            "src/referral/mod.rs",
            "use crate::rule::RuleSet;",
        ));
    }

    #[test]
    fn a_module_nobody_placed_is_refused() {
        let found = of(floors::check, "src/novelty/mod.rs", "");
        assert!(
            found.len() == 1 && found[0].contains("tests/guards/floors.rs"),
            "{found:?}"
        );
        assert_eq!(
            of(
                floors::check,
                "src/kernel/mod.rs",
                "use crate::novelty::New;"
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        for path in [
            "src/utils.rs",
            "src/booking/helpers/mod.rs",
            "tests/common/mod.rs",
            "entity/src/misc.rs",
            "src/manager/mod.rs",
        ] {
            assert_eq!(of(names, path, "").len(), 1, "{path}");
        }
        none(&of(names, "src/booking/slot.rs", ""));
    }

    #[test]
    fn a_long_file_is_found() {
        let lines = |count: usize| "\n".repeat(count);
        assert_eq!(of(short_files, "src/a.rs", &lines(501)).len(), 1);
        assert_eq!(of(short_files, "migration/src/a.rs", &lines(501)).len(), 1);
        assert_eq!(of(short_files, "tests/a.rs", &lines(701)).len(), 1);
        assert_eq!(of(short_files, "src/a/tests/b.rs", &lines(701)).len(), 1);
        none(&of(short_files, "src/a/tests/b.rs", &lines(700)));
        none(&of(short_files, "src/a.rs", &lines(500)));
        none(&of(short_files, "tests/a.rs", &lines(700)));
    }

    #[test]
    fn a_feature_without_opening_words_is_found() {
        assert_eq!(
            of(opening_words, "src/booking/mod.rs", "mod store;\n//! late").len(),
            1
        );
        none(&of(
            opening_words,
            "src/booking/mod.rs",
            "//! Bookings.\nmod store;",
        ));
        none(&of(opening_words, "src/booking/store.rs", "fn f() {}"));
    }

    #[test]
    fn a_panic_outside_tests_is_found() {
        for text in [
            "x.unwrap();",
            "x\n  .expect(\"y\");",
            "x.unwrap_err();",
            "v.map(Option::unwrap);",
            "r.expect_err(\"y\");",
        ] {
            assert_eq!(
                of(no_panics, "src/a.rs", &format!("fn f() {{ {text} }}")).len(),
                1,
                "{text}"
            );
        }
        let fine = "#[expect(dead_code, reason = \"r\")]\nfn f() { x.unwrap_or(1).unwrap_or_default(); } // x.unwrap()\n\
                    #[cfg(test)]\nmod tests { fn g() { x.unwrap(); } }\n\
                    #[cfg(test)]\npub(super) fn h() { x.expect(\"a ; }\"); }\n\
                    #[cfg(test)]\nuse a::{b, c};\n";
        none(&of(no_panics, "src/a.rs", fine));
        none(&of(no_panics, "src/main.rs", "fn main() { x.unwrap(); }"));
        let after = format!("{fine}fn late() {{ x.unwrap(); }}");
        assert_eq!(
            of(no_panics, "src/a.rs", &after),
            ["src/a.rs:9: unwrap"],
            "what follows a test is looked at again"
        );
        let excused = "#[expect(clippy::expect_used, reason = \"why\")]\nfn f() { x.expect(\"y\"); }\nfn g() { x.expect(\"y\"); }";
        assert_eq!(
            of(no_panics, "src/a.rs", excused),
            ["src/a.rs:3: expect"],
            "an excuse covers one item"
        );
        assert_eq!(panicking(&File::new("src/a.rs", "x.unwrap()")).len(), 1);
    }

    #[test]
    fn a_file_that_is_compiled_for_tests_alone_is_a_test() {
        let files = [
            File::new(
                "src/queue/mod.rs",
                "#[cfg(test)]\nmod conformance;\nmod redis;",
            ),
            File::new("src/queue/conformance.rs", "fn f() { x.unwrap(); }"),
            File::new("src/queue/conformance/deep.rs", "fn f() { x.unwrap(); }"),
            File::new("src/queue/redis.rs", "fn f() { x.unwrap(); }"),
        ];
        assert_eq!(test_only(&files), ["src/queue/conformance"]);
        assert_eq!(no_panics(&files), ["src/queue/redis.rs:1: unwrap"]);
    }

    #[test]
    fn a_way_to_a_transfer_is_found() {
        let check = super::guards::transfers;
        for (path, text) in [
            (
                "src/benefit/apply.rs",
                "use crate::platform::wechat::Transfer;",
            ),
            (
                "src/benefit/apply.rs",
                "ctx.wechat.transfer(&wanted).await?;",
            ),
            (
                "src/referral/live.rs",
                "entity::transfer::Entity::insert(row);",
            ),
            ("src/payment/mod.rs", "pub use transfer::request;"),
        ] {
            assert_eq!(of(check, path, text).len(), 1, "{path}: {text}");
        }
        none(&of(
            check,
            "src/payment/mod.rs",
            "mod transfer; // pub use transfer",
        ));
        none(&of(
            check,
            "src/benefit/apply.rs",
            "fn f() {} // a transfer",
        ));
    }

    #[test]
    fn an_impure_engine_is_found() {
        for text in [
            "use sea_orm::Set;",
            "tokio::spawn(x);",
            "use std::time::Instant;",
            "use std::{fmt, time::Instant};",
            "use reqwest as r;",
        ] {
            assert_eq!(of(purity, "src/rule/a.rs", text).len(), 1, "{text}");
        }
        none(&of(
            purity,
            "src/rule/a.rs",
            "use std::fmt; // tokio\nstruct Time { redistribute: u8 }",
        ));
    }

    #[test]
    fn a_migration_that_knows_an_entity_is_found() {
        let check = super::guards::migrations;
        for text in [
            "use entity::booking;",
            "use { entity };",
            "Table::create().table(entity::booking::Entity)",
            "use entity as e;",
        ] {
            assert_eq!(of(check, "migration/src/m1.rs", text).len(), 1, "{text}");
        }
        none(&of(
            check,
            "migration/src/m1.rs",
            "use sea_orm_migration::sea_orm::entity::prelude::*; // entity::booking",
        ));
    }
}
