//! A weight of a layer, with its settings.

use serde_json::{Map, Value};

use super::Base;
use crate::config::{Fields, Parsed};
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::{Result, Tensor};

/// A weight and its settings: how it begins, what penalty is on it, what it is held to.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    /// What its settings begin with: `kernel`, `depthwise`, `bias`, `gamma`.
    name: &'static str,
    pub(super) initializer: Initializer,
    pub(super) regularizer: Option<Regularizer>,
    pub(super) constraint: Option<Constraint>,
    /// None until the layer is built, or where it is to do without.
    pub(super) value: Option<Tensor>,
}

impl Weight {
    /// A weight that is not made yet.
    pub(super) fn new(name: &'static str, initializer: impl Into<Initializer>) -> Weight {
        Weight {
            name,
            initializer: initializer.into(),
            regularizer: None,
            constraint: None,
            value: None,
        }
    }

    /// With the settings that [`Weight::write`] wrote; what is missing stays as it is.
    pub(super) fn with_config(mut self, fields: &Fields<'_>) -> Parsed<Weight> {
        let key = |what: &str| format!("{}_{what}", self.name);
        let initializer = key("initializer");
        if fields.get(&initializer).is_some() {
            self.initializer = Initializer::from_field(fields, &initializer)?;
        }
        self.regularizer = Regularizer::from_config(fields, &key("regularizer"))?;
        self.constraint = Constraint::from_config(fields, &key("constraint"))?;
        Ok(self)
    }

    /// Writes the settings into those of its layer.
    pub(super) fn write(&self, config: &mut Map<String, Value>) {
        let mut insert = |what, value| config.insert(format!("{}_{what}", self.name), value);
        insert("initializer", self.initializer.config());
        insert(
            "regularizer",
            Regularizer::config(self.regularizer.as_ref()),
        );
        insert("constraint", Constraint::config(self.constraint.as_ref()));
    }

    /// An error that names the setting that makes no sense.
    pub(super) fn check(&self, base: &Base) -> Result<()> {
        let named = |what, error| base.value_error(format!("{}_{what}: {error}", self.name));
        if let Some(regularizer) = &self.regularizer {
            let known = regularizer.known();
            known.map_err(|error| named("regularizer", error))?;
        }
        if let Some(constraint) = &self.constraint {
            let known = constraint.known();
            known.map_err(|error| named("constraint", error))?;
        }
        Ok(())
    }

    /// A value for a layer that is being built, called by the weight's name in messages.
    pub(super) fn make(&self, base: &mut Base, shape: &[usize]) -> Result<Tensor> {
        self.make_from(base, self.name, shape, &|| self.initializer.create(shape))
    }

    /// [`Weight::make`] by a function, unless a file gives the value, and called `what`.
    pub(super) fn make_from(
        &self,
        base: &mut Base,
        what: &str,
        shape: &[usize],
        make: &dyn Fn() -> Result<Tensor>,
    ) -> Result<Tensor> {
        self.check(base)?;
        if let Some(constraint) = &self.constraint {
            let fits = constraint.check(shape);
            fits.map_err(|error| base.value_error(format!("{}_constraint: {error}", self.name)))?;
        }
        base.weight_from(what, shape, make)
    }

    /// The value.
    ///
    /// # Panics
    /// If the layer is not built.
    pub(super) fn built(&self, base: &Base) -> &Tensor {
        match &self.value {
            Some(value) => value,
            None => panic!("{}", base.unbuilt()),
        }
    }

    /// Brings the value back to where the constraint allows it.
    pub(super) fn constrain(&mut self) {
        if let (Some(value), Some(constraint)) = (&mut self.value, &self.constraint) {
            *value = crate::tensor::expect(constraint.apply(value));
        }
    }
}

/// Whether none of the weights has a penalty.
pub(super) fn are_free(weights: &[&Weight]) -> bool {
    weights.iter().all(|weight| weight.regularizer.is_none())
}

/// The sum of the penalties on weights, for those that have one.
pub(super) fn penalties(weights: &[&Weight]) -> Option<Tensor> {
    let penalty = |weight: &&Weight| {
        let regularizer = weight.regularizer.as_ref()?;
        Some(regularizer.penalty(weight.value.as_ref()?))
    };
    let all = weights.iter().filter_map(penalty);
    all.reduce(|sum, penalty| sum + penalty)
}

/// Defines the settings of a weight that lies in this field.
macro_rules! weight_settings {
    (
        $layer:ident, $($weight:ident).+, $what:literal, $default:literal,
        $initializer:ident, $regularizer:ident, $constraint:ident
    ) => {
        impl $layer {
            #[doc = concat!("How the ", $what, " begins (`\"", $default, "\"`).")]
            pub fn $initializer(
                mut self,
                initializer: impl Into<$crate::initializers::Initializer>,
            ) -> $layer {
                self.$($weight).+.initializer = initializer.into();
                self
            }

            #[doc = concat!("The penalty on the ", $what, " (none): `\"l2\"`, or `Regularizer::l2(0.001)`.")]
            pub fn $regularizer(
                mut self,
                regularizer: impl Into<$crate::regularizers::Regularizer>,
            ) -> $layer {
                self.$($weight).+.regularizer = Some(regularizer.into());
                self
            }

            #[doc = concat!("What the ", $what, " is held to after each update (nothing): `\"non_neg\"`, or `Constraint::max_norm(2.0)`.")]
            pub fn $constraint(
                mut self,
                constraint: impl Into<$crate::constraints::Constraint>,
            ) -> $layer {
                self.$($weight).+.constraint = Some(constraint.into());
                self
            }
        }
    };
}
pub(super) use weight_settings;

/// The methods of [`Layer`](super::Layer) that a layer answers by its weights, which are in these fields.
macro_rules! weight_methods {
    ($($($weight:ident).+),+) => {
        fn weights(&self) -> Vec<&$crate::Tensor> {
            let all = [$(&self.$($weight).+),+];
            all.into_iter().filter_map(|weight| weight.value.as_ref()).collect()
        }

        fn weights_mut(&mut self) -> Vec<&mut $crate::Tensor> {
            let all = [$(&mut self.$($weight).+),+];
            all.into_iter().filter_map(|weight| weight.value.as_mut()).collect()
        }

        fn each_weight<'a>(&'a self, visit: &mut dyn FnMut(&'a $crate::Tensor)) {
            $(self.$($weight).+.value.iter().for_each(&mut *visit);)+
        }

        fn each_weight_mut<'a>(&'a mut self, visit: &mut dyn FnMut(&'a mut $crate::Tensor)) {
            $(self.$($weight).+.value.iter_mut().for_each(&mut *visit);)+
        }

        fn penalty(&self) -> Option<$crate::Tensor> {
            $crate::layers::weight::penalties(&[$(&self.$($weight).+),+])
        }

        fn constrain(&mut self) {
            $(self.$($weight).+.constrain();)+
        }
    };
}
pub(super) use weight_methods;

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::constraints::Constraint;
    use crate::layers::{Dense, Layer};

    #[test]
    fn a_constraint_changes_what_it_does_not_allow() {
        let mut layer = Dense::new(2)
            .kernel_initializer("ones")
            .kernel_constraint("unit_norm")
            .bias_constraint("non_neg");
        layer.build(&[4]).unwrap();
        layer.constrain();
        let half = Tensor::full([4, 2], 0.5);
        assert!((layer.weights()[0] - half).abs().max().item() < 1e-6);
        assert_eq!(layer.weights()[1].to_vec(), [0.0, 0.0]);
    }

    #[test]
    fn a_constraint_that_makes_no_sense_is_refused_with_the_layers_name() {
        let error = |layer: Dense| {
            let mut layer = layer.name("bounded");
            layer.build(&[4]).unwrap_err().to_string()
        };
        let text = error(Dense::new(2).kernel_constraint("unit_nrm"));
        assert!(
            text.starts_with("bounded (Dense): kernel_constraint: unknown constraint \"unit_nrm\""),
            "{text}"
        );
        let text = error(Dense::new(2).bias_constraint(Constraint::unit_norm().axis(1)));
        assert!(
            text.starts_with("bounded (Dense): bias_constraint: axis [1] is out of range"),
            "{text}"
        );
    }
}
