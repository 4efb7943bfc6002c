//! The `service` table.

use crate::{
    kernel::{AppError, Result},
    platform::OneByKey,
};
use entity::{ids::ServiceId, service};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

/// A service, on sale or not.
///
/// # Errors
/// `not_found`, or a database fault.
pub async fn by_id(db: &impl ConnectionTrait, id: ServiceId) -> Result<service::Model> {
    service::Entity::find_by_id(id)
        .one_by_key(db)
        .await?
        .ok_or_else(AppError::not_found)
}

/// A service on sale.
///
/// # Errors
/// `not_found`, also when it is no longer sold; or a database fault.
pub async fn on_sale(db: &impl ConnectionTrait, id: ServiceId) -> Result<service::Model> {
    by_id(db, id).await.and_then(|row| {
        if row.active {
            Ok(row)
        } else {
            Err(AppError::not_found())
        }
    })
}

/// The services, by name of their slug.
pub(super) async fn all(
    db: &impl ConnectionTrait,
    active_only: bool,
) -> Result<Vec<service::Model>> {
    let mut query = service::Entity::find().order_by_asc(service::Column::Slug);
    if active_only {
        query = query.filter(service::Column::Active.eq(true));
    }
    Ok(query.all(db).await?)
}
