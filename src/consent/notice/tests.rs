use super::*;

fn controller() -> Controller {
    crate::config::with_overrides(&[]).unwrap().controller
}

fn file(name: &str) -> &'static str {
    FILES.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn every_file_of_the_folder_is_carried() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/notices");
    let files = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
    let mut names: Vec<String> = files
        .filter_map(|file| {
            file.file_name()
                .to_str()?
                .strip_suffix(".toml")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    let mut carried: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    carried.sort_unstable();
    assert_eq!(names, carried);
}

#[test]
fn every_notice_says_what_the_law_asks() {
    // PIPL 17: handler and contact, purpose, method, categories, retention, rights. PIPL 30: necessity and effect.
    let notices = all(&controller()).unwrap();
    assert_eq!(notices.len(), FILES.len());
    for notice in notices {
        let purpose = &notice.purpose;
        for part in [
            "谁在处理",
            "为什么",
            "用到什么",
            "怎么用",
            "保存多久",
            "给不给别人",
            "您的权利",
            "拒绝会怎样",
        ] {
            assert!(notice.text.contains(part), "{purpose} lacks {part}");
        }
        for said in [
            &controller().name,
            &controller().phone,
            &controller().email,
            &notice.needed_for,
            &notice.processing_method,
            &notice.refusal_effect,
            &notice.withdraw_how,
        ] {
            assert!(notice.text.contains(said), "{purpose} does not say: {said}");
        }
        assert!(!notice.body().to_string().contains("{p"), "{purpose}");
        assert!(
            !notice.text.contains('{'),
            "{purpose} has an unfilled place"
        );
        assert!(notice.separate, "{purpose}");
        for recipient in &notice.recipients {
            assert!(notice.text.contains(&recipient.name), "{purpose}");
            assert!(!recipient.contact.is_empty() && !recipient.purpose.is_empty());
        }
        if notice.sensitive {
            for said in [&notice.necessity, &notice.effect_on_rights] {
                assert!(!said.is_empty() && notice.text.contains(said), "{purpose}");
            }
        }
    }
}

#[test]
fn no_notice_promises_a_deletion_nobody_carries_out() {
    for notice in all(&controller()).unwrap() {
        for promise in ["自动删除", "立即删除", "用完就删", "用完即收回"] {
            assert!(
                !notice.body().to_string().contains(promise),
                "{} promises {promise}",
                notice.purpose
            );
        }
    }
}

#[test]
fn a_changed_letter_changes_the_address() {
    let mut notice = of_purpose(&controller(), "referral_link").unwrap().unwrap();
    let before = notice.sha256().unwrap();
    notice.text.push('。');
    assert_ne!(before, notice.sha256().unwrap());
}

#[test]
fn a_new_telephone_number_is_a_new_version_of_the_same_template() {
    let one = of_purpose(&controller(), "referral_link").unwrap().unwrap();
    let moved = Controller {
        phone: "021-55550199".into(),
        ..controller()
    };
    let two = of_purpose(&moved, "referral_link").unwrap().unwrap();
    assert_ne!(one.version, two.version);
    assert_ne!(one.sha256().unwrap(), two.sha256().unwrap());
    assert_eq!(base(&one.version), base(&two.version));
    assert_eq!(one.template_sha256, two.template_sha256);
    assert!(one.version.len() <= 16, "{}", one.version);
    assert!(two.admits(&one.version), "CR-32: contact is not material");
}

#[test]
fn versions_compare_as_numbers_and_nonsense_admits_nothing() {
    let mut notice = of_purpose(&controller(), "referral_link").unwrap().unwrap();
    notice.material_since = "1.10".into();
    for (version, stands) in [
        ("1.10", true),
        ("1.10-3fa9c1", true),
        ("2.0", true),
        ("2", true),
        ("1.9-3fa9c1", false),
        ("1", false),
        ("", false),
        ("x.y", false),
    ] {
        assert_eq!(notice.admits(version), stands, "{version}");
    }
}

#[test]
fn a_notice_without_an_end_or_with_a_strange_version_is_refused() {
    let text = file("referral_link");
    assert!(parse(text).is_ok());
    for (from, to) in [
        ("validity = \"P730D\"", "validity = \"\""),
        ("validity = \"P730D\"", "validity = \"forever\""),
        ("version = \"1.0\"", "version = \"one\""),
        ("version = \"1.0\"", "version = \"0.9\""),
        ("material_since = \"1.0\"", "material_since = \"later\""),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(parse(&text.replacen(from, to, 1)).is_err(), "{to}");
    }
}
