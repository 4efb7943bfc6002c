//! Complaints and their two clocks.
