//! Where random bytes come from: the system's generator, and nothing else in what is shipped. With the feature `seeded`, which
//! only a simulation's tests ask for, a thread may draw from a seed instead, so that what it does can be done again to the byte.

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

/// Fills `bytes` at random.
///
/// # Errors
/// When the system has no randomness.
pub fn fill(bytes: &mut [u8]) -> Result<(), Exhausted> {
    #[cfg(feature = "seeded")]
    if seeded::fill(bytes) {
        return Ok(());
    }
    aws_lc_rs::rand::fill(bytes).map_err(|_| Exhausted)
}

/// Where a simulated thread draws from.
pub type Source = std::sync::Arc<std::sync::Mutex<dyn FnMut(&mut [u8]) + Send>>;

/// From now on this thread draws from there; from the system again where there is none. Does nothing without the feature.
pub fn draw_from(source: Option<Source>) {
    #[cfg(feature = "seeded")]
    seeded::draw_from(source);
    #[cfg(not(feature = "seeded"))]
    drop(source);
}

#[cfg(feature = "seeded")]
mod seeded {
    use std::cell::RefCell;
    use std::sync::PoisonError;

    use super::Source;

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    pub(super) fn draw_from(source: Option<Source>) {
        SOURCE.with_borrow_mut(|held| *held = source);
    }

    pub(super) fn fill(bytes: &mut [u8]) -> bool {
        let Some(source) = SOURCE.with_borrow(Clone::clone) else { return false };
        (source.lock().unwrap_or_else(PoisonError::into_inner))(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_system_gives_other_bytes_each_time() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        super::fill(&mut first).expect("random");
        super::fill(&mut second).expect("random");
        assert_ne!(first, second);
    }
}
