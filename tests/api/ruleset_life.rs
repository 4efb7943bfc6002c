//! The life of rule sets under any sequence of calls: a model beside the product, compared after every step.

use crate::{
    rules::shipped,
    support::{Person, TestApp},
    versions::{sets, tenures},
};
use chrono::{DateTime, Duration, Utc};
use entity::values::StaffRole;
use serde_json::json;

/// A generator of choices: the same number tells the same story.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// A set as the model knows it.
struct Set {
    id: String,
    status: &'static str,
    approved: bool,
    at: Option<DateTime<Utc>>,
    replaced: Option<usize>,
}

/// What should be, in the words of the design.
struct Model {
    sets: Vec<Set>,
    live: usize,
    spans: Vec<usize>,
    begun: DateTime<Utc>,
}

impl Model {
    fn goes_live(&mut self, index: usize) {
        let before = self.live;
        self.sets[before].status = "retired";
        let set = &mut self.sets[index];
        (set.status, set.at) = ("live", None);
        self.live = index;
        self.spans.push(index);
    }

    fn publishes(&mut self, index: usize) {
        self.sets[index].replaced = Some(self.live);
        self.goes_live(index);
    }

    fn gives_back(&mut self, index: usize) {
        let set = &mut self.sets[index];
        (set.status, set.at) = (if set.approved { "approved" } else { "draft" }, None);
    }

    fn waiting(&self) -> Vec<usize> {
        let mut waiting: Vec<usize> = (0..self.sets.len())
            .filter(|one| self.sets[*one].at.is_some())
            .collect();
        waiting.sort_by_key(|one| self.sets[*one].at);
        waiting
    }

    fn open(&self, index: usize) -> bool {
        ["draft", "approved", "scheduled"].contains(&self.sets[index].status)
    }
}

/// A story: the product and the model beside it.
struct Story<'a> {
    app: &'a TestApp,
    author: Person,
    other: Person,
    model: Model,
    dice: Dice,
}

impl Story<'_> {
    /// One step, in the product and in the model.
    async fn step(&mut self) -> String {
        let index = self.dice.roll(self.model.sets.len());
        match self.dice.roll(9) {
            0 => self.drafts().await,
            1 => self.approves(index).await,
            2 => self.publishes(index).await,
            3 | 4 => self.schedules(index).await,
            5 => self.unschedules(index).await,
            6 => self.rolls_back().await,
            7 => self.rewrites(index).await,
            _ => self.waits().await,
        }
    }

    fn call(&self, index: usize, what: &str) -> String {
        format!("admin/rulesets/{}/{what}", self.model.sets[index].id)
    }

    async fn drafts(&mut self) -> String {
        let draft = json!({ "name": "草稿", "document": shipped() });
        let made = self.author.post("admin/rulesets", draft).await.expect(201);
        let id = made["id"].as_str().unwrap().to_owned();
        self.model.sets.push(Set {
            id,
            status: "draft",
            approved: false,
            at: None,
            replaced: None,
        });
        "draft".to_owned()
    }

    async fn approves(&mut self, index: usize) -> String {
        let status = self.model.sets[index].status;
        let answer = self
            .other
            .post(&self.call(index, "approve"), json!({}))
            .await
            .status;
        assert_eq!(
            answer == 200,
            status == "draft",
            "approve {status}: {answer}"
        );
        if answer == 200 {
            let set = &mut self.model.sets[index];
            (set.status, set.approved) = ("approved", true);
        }
        format!("approve {status}")
    }

    async fn publishes(&mut self, index: usize) -> String {
        let status = self.model.sets[index].status;
        let answer = self
            .author
            .post(&self.call(index, "publish"), json!({}))
            .await
            .status;
        assert_eq!(
            answer == 200,
            self.model.open(index),
            "publish {status}: {answer}"
        );
        if answer == 200 {
            self.model.publishes(index);
        }
        format!("publish {status}")
    }

    async fn schedules(&mut self, index: usize) -> String {
        let status = self.model.sets[index].status;
        let gone = (self.app.ctx().env.now() - self.model.begun).num_hours();
        let hours = gone + 1 + i64::try_from(self.dice.roll(4)).unwrap();
        let at = self.model.begun + Duration::hours(hours);
        let mut others = self
            .model
            .sets
            .iter()
            .enumerate()
            .filter(|(one, _)| *one != index);
        let taken = others.any(|(_, set)| set.at == Some(at));
        let answer = self
            .author
            .post(&self.call(index, "publish"), json!({ "at": at }))
            .await
            .status;
        assert_eq!(
            answer == 200,
            self.model.open(index) && !taken,
            "schedule {status}, taken {taken}: {answer}"
        );
        if answer == 200 {
            let set = &mut self.model.sets[index];
            (set.status, set.at) = ("scheduled", Some(at));
        }
        format!("schedule {status} for hour {hours}")
    }

    async fn unschedules(&mut self, index: usize) -> String {
        let status = self.model.sets[index].status;
        let answer = self
            .author
            .post(&self.call(index, "unschedule"), json!({}))
            .await
            .status;
        assert_eq!(
            answer == 200,
            status == "scheduled",
            "unschedule {status}: {answer}"
        );
        if answer == 200 {
            self.model.gives_back(index);
        }
        format!("unschedule {status}")
    }

    async fn rolls_back(&mut self) -> String {
        let target = self.model.sets[self.model.live].replaced;
        let answer = self.author.post("admin/rulesets/rollback", json!({})).await;
        assert_eq!(
            answer.status == 200,
            target.is_some(),
            "rollback: {answer:?}"
        );
        if let Some(target) = target {
            let waiting = self.model.waiting();
            assert_eq!(
                answer.json["unscheduled"].as_array().unwrap().len(),
                waiting.len()
            );
            for one in waiting {
                self.model.gives_back(one);
            }
            self.model.goes_live(target);
        }
        "rollback".to_owned()
    }

    async fn rewrites(&mut self, index: usize) -> String {
        let set = &self.model.sets[index];
        let status = set.status;
        let draft = json!({ "name": "改过的", "document": shipped() });
        let answer = self
            .author
            .put(&format!("admin/rulesets/{}", set.id), draft)
            .await
            .status;
        assert_eq!(
            answer == 200,
            ["draft", "approved"].contains(&status),
            "rewrite {status}: {answer}"
        );
        if answer == 200 {
            let set = &mut self.model.sets[index];
            (set.status, set.approved) = ("draft", false);
        }
        format!("rewrite {status}")
    }

    async fn waits(&mut self) -> String {
        self.app.advance("PT1H").await;
        let now = self.app.ctx().env.now();
        for one in self.model.waiting() {
            if self.model.sets[one].at.is_some_and(|at| at <= now) {
                self.model.publishes(one);
            }
        }
        "an hour".to_owned()
    }
}

/// A story of sixty steps.
async fn lives(app: &TestApp, seed: u64) {
    let author = app.staff(&[StaffRole::Marketing]).await;
    let id = sets(&author).await[0]["id"].as_str().unwrap().to_owned();
    let model = Model {
        sets: vec![Set {
            id,
            status: "live",
            approved: false,
            at: None,
            replaced: None,
        }],
        live: 0,
        spans: vec![0],
        // Half an hour aside of the steps, so that the seconds a story takes decide nothing.
        begun: app.ctx().env.now() + Duration::minutes(30),
    };
    let other = app.staff(&[StaffRole::Marketing]).await;
    let mut story = Story {
        app,
        author,
        other,
        model,
        dice: Dice(seed),
    };
    let mut told = Vec::new();
    for _ in 0..60 {
        told.push(story.step().await);
        let mut found = sets(&story.author).await;
        found.reverse();
        let found: Vec<&str> = found
            .iter()
            .map(|set| set["status"].as_str().unwrap())
            .collect();
        let should: Vec<&str> = story.model.sets.iter().map(|set| set.status).collect();
        assert_eq!(found, should, "seed {seed}: {told:#?}");
        let spans = tenures(&story.author).await;
        let found: Vec<&str> = spans
            .iter()
            .map(|span| span["ruleset_id"].as_str().unwrap())
            .collect();
        let should: Vec<&str> = story
            .model
            .spans
            .iter()
            .map(|one| story.model.sets[*one].id.as_str())
            .collect();
        assert_eq!(found, should, "seed {seed}: {told:#?}");
    }
}

on_both! {
    async fn whatever_is_done_there_is_one_live_set_and_its_times_hold_all_time(app) {
        lives(app, 7).await;
    }

    async fn and_in_another_order_too(app) {
        lives(app, 20_261_127).await;
    }
}
