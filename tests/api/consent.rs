//! The ledger: acts, notices, receipts, withdrawal, the chain.
