//! The outer ring of tests: real processes, real stores, real targets. The tests are in `tests/`, one story a file; this
//! file only makes them a package.
