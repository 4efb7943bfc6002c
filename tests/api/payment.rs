//! Money: notifications, mismatches, refunds, the ledger.
