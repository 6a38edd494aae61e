//! The store through the mailbox core: a model, damage, foreign files, and what a cut delivery leaves.

mod annotations;
mod files;
mod model;
mod scratch;
