//! The store through the mailbox core: a model, damage, foreign files, and what a cut delivery leaves.

mod annotations;
mod binary;
mod clock;
mod devices;
mod files;
mod growth;
mod later;
mod migrate;
mod model;
mod pop3;
mod retention;
mod room;
mod scratch;
mod why;
