//! Tests of the driver over real files, and over a real nginx and a real Apache.

mod ages;
mod crash;
mod fixture;
mod hostile;
mod reading;
mod subjects;
mod writers;
