//! The transparency log on real stores: what waits gets a place once and for good, what was committed is signed after any crash,
//! of two sequencers none signs a second tree, and a store that went back signs nothing.

mod between;
mod directory;
mod growing;
mod killed;
mod place;
mod restored;
mod served;
mod several;
mod witnessed;
