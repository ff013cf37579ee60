//! The readers of bytes from outside, for those who throw bytes at them.

pub use super::events::read_bytes as events;
pub use super::mlflow::read_text as mlflow;
pub use super::mlflow::step_in as mlflow_step;
pub use super::reproducibility::versions;
pub use super::saved::read_text as configuration;
pub use super::wandb::{read_bytes as wandb, read_message as message, read_small as wandb_small};
