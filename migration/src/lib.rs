//! The schema, by hand and append-only. Never imports the entities: an old migration must keep its meaning.

pub use sea_orm_migration::prelude::MigratorTrait;

use sea_orm_migration::prelude::MigrationTrait;

mod m20261124_000001_identity;
mod m20261124_000002_outbox;
mod m20261124_000003_audit;
mod m20261124_000004_worker;
mod m20261124_000005_catalog;
mod m20261124_000006_consent;
mod m20261124_000007_booking;
mod m20261124_000008_payment;
mod m20261124_000009_workorder;
mod m20261124_000010_photo;
mod m20261124_000011_rating;
mod m20261124_000012_complaint;
mod m20261124_000013_referral;
mod m20261126_000014_wallet;
mod m20261126_000015_ruleset;
mod m20261126_000016_audit;
mod m20261126_000017_push;
mod m20261126_000018_settlement;
mod m20261126_000019_content;
mod m20261127_000020_facts;
mod m20261127_000021_legal_opinion;
mod m20261127_000022_tenure;
mod m20261127_000023_evaluation;
mod m20261127_000024_pace;
mod m20261127_000025_bounds;
mod m20261127_000026_granted;

/// Every migration, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_identity::Up),
            Box::new(m20261124_000002_outbox::Up),
            Box::new(m20261124_000003_audit::Up),
            Box::new(m20261124_000004_worker::Up),
            Box::new(m20261124_000005_catalog::Up),
            Box::new(m20261124_000006_consent::Up),
            Box::new(m20261124_000007_booking::Up),
            Box::new(m20261124_000008_payment::Up),
            Box::new(m20261124_000009_workorder::Up),
            Box::new(m20261124_000010_photo::Up),
            Box::new(m20261124_000011_rating::Up),
            Box::new(m20261124_000012_complaint::Up),
            Box::new(m20261124_000013_referral::Up),
            Box::new(m20261126_000014_wallet::Up),
            Box::new(m20261126_000015_ruleset::Up),
            Box::new(m20261126_000016_audit::Up),
            Box::new(m20261126_000017_push::Up),
            Box::new(m20261126_000018_settlement::Up),
            Box::new(m20261126_000019_content::Up),
            Box::new(m20261127_000020_facts::Up),
            Box::new(m20261127_000021_legal_opinion::Up),
            Box::new(m20261127_000022_tenure::Up),
            Box::new(m20261127_000023_evaluation::Up),
            Box::new(m20261127_000024_pace::Up),
            Box::new(m20261127_000025_bounds::Up),
            Box::new(m20261127_000026_granted::Up),
        ]
    }
}
