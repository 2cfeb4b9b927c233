//! Copies that are layers of their own, and models beside others of the same layers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Content, Held, LayerRef, read};
use crate::models::identity::fresh;
use crate::models::network::Copies;

impl LayerRef {
    /// A layer of its own with the same content; layers that were copied before are taken from `copies`.
    pub(in crate::models) fn deep_copy(&self, copies: &mut Copies) -> LayerRef {
        if let Some(copy) = copies.get(&self.key()) {
            return copy.clone();
        }
        let content = match &self.0.content {
            Content::Layer(layer) => Content::Layer(RwLock::new(read(layer).clone())),
            Content::Network(network) => {
                let copy = read(network).deep_copy(copies);
                Content::Network(RwLock::new(copy))
            }
            Content::Block(block) => {
                let mut block = block.clone_box();
                for layer in block.layers_mut() {
                    *layer = layer.deep_copy(copies);
                }
                Content::Block(block)
            }
        };
        let copy = self.with_content(content);
        copies.insert(self.key(), copy.clone());
        copy
    }

    /// Another model of the same layers; for a layer the layer itself.
    pub(in crate::models) fn beside(&self) -> LayerRef {
        match &self.0.content {
            Content::Layer(_) | Content::Block(_) => self.clone(),
            Content::Network(network) => {
                let network = read(network).clone();
                self.with_content(Content::Network(RwLock::new(network)))
            }
        }
    }

    fn with_content(&self, content: Content) -> LayerRef {
        let built_for = self
            .0
            .built_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        LayerRef(Arc::new(Held {
            number: fresh(),
            content,
            version: AtomicU64::new(self.version()),
            frozen: AtomicBool::new(self.0.frozen.load(Ordering::Relaxed)),
            built_for: Mutex::new(built_for.clone()),
        }))
    }
}
