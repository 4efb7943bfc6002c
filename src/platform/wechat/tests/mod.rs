//! The client against the sandbox over real HTTP, and against vectors made by other people's SDKs.

mod certificate;
mod chaos;
mod mini;
mod payment;
mod push;
mod safety;
mod settlement;
mod stage;
mod token;
mod vectors;
