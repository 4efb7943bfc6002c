//! Reading across rooms: one's own page, the funnel, the graph, the audit log. Reads only, by its own SQL.
//!
//! Owns no table. Promises: nobody is in the graph without `graph_analysis`, and no edge without both ends (law.md
//! section 2); counts name nobody. Emits and listens to nothing.

mod audit;
mod funnel;
mod graph;
mod me;
mod window;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers a person's own page.
pub fn routes(cfg: &mut ServiceConfig) {
    me::routes(cfg);
}

/// Registers the calls under `/admin`.
pub fn admin_routes(cfg: &mut ServiceConfig) {
    funnel::routes(cfg);
    graph::routes(cfg);
    audit::routes(cfg);
}
