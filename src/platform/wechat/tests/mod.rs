//! The client against the sandbox over real HTTP, and against vectors made by other people's SDKs.

mod mini;
mod payment;
mod push;
mod safety;
mod stage;
mod vectors;
