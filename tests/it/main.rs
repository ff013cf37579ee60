//! The integration tests: the built program in a world of its own.

mod lock;
