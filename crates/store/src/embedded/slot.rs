//! Which database is the store's at this moment: rewriting the store puts another in its place. Owns the exchange; a reader
//! that began before goes on reading what it began with.

use std::sync::{Arc, PoisonError, RwLock};

use redb::Database;

/// The place of the open database.
pub(super) struct Slot(RwLock<Arc<Database>>);

impl Slot {
    pub(super) fn new(db: Database) -> Self {
        Self(RwLock::new(Arc::new(db)))
    }

    /// The database now.
    pub(super) fn get(&self) -> Arc<Database> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another in its place. The old one is closed once the last reader lets go of it.
    pub(super) fn set(&self, db: Database) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(db);
    }
}
