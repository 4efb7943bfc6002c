//! The own page, the funnel, the graph, the audit log.
