//! The OpenAPI document: the base here, the paths from the features.

use super::Problem;
use actix_web::web;
use utoipa::openapi::{
    ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa::{PartialSchema, ToSchema};

/// The document without paths.
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("邻荐 Linjian")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "家政公司小程序的后端:预约、预存、照片、评分,以及以单独同意为前提的转介绍。\
             错误一律为 application/problem+json,见 docs/errors.md。",
        ))
        .contact(Some(ContactBuilder::new().name(Some("Linjian")).build()))
        .license(Some(
            LicenseBuilder::new().name("MIT OR Apache-2.0").build(),
        ))
        .build();
    let mut api = OpenApiBuilder::new().info(info).build();
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build(),
    );
    let components = api.components.get_or_insert_with(Default::default);
    components.add_security_scheme("bearer", bearer);
    components
        .schemas
        .insert(Problem::name().into_owned(), Problem::schema());
    api
}

/// Serves `/openapi.json` and the bundled, offline UI at `/docs/`.
pub fn mount_docs(cfg: &mut web::ServiceConfig, api: OpenApi) {
    let ui = utoipa_swagger_ui::SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", api);
    cfg.service(web::redirect("/docs", "/docs/")).service(ui);
}
