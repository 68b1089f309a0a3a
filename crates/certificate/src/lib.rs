//! A certificate: what a verified proof says, as one page for people, in Swedish or English (`docs/certificate.md`). Owns
//! sentences and markup; decides nothing, verifies nothing, and never says more than [`Told`] does (I5 towards a reader).
//!
//! Read it in this order: `page` (what stands where), `section` (each part of it), `sv` and `en` (every sentence), `html`
//! (no value becomes markup).

mod date;
mod en;
mod html;
mod page;
mod section;
mod sv;
mod text;

pub use text::Language;

use gallra_verify::told::Told;

/// The page: self-contained HTML without script, links or anything to fetch. The same value gives the same bytes.
pub fn render(told: &Told, language: Language) -> String {
    page::render(told, language.texts())
}
