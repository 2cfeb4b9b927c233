//! Which weights an optimizer is for.

/// The weights that the steps of an optimizer were for, by the numbers and names of their layers. What it
/// keeps beside each weight is theirs, and would be mixed with that of others.
#[derive(Clone, Debug, Default)]
pub struct BuiltFor(Option<(Vec<u64>, Vec<String>)>);

impl BuiltFor {
    /// Makes the layers of these numbers those that the steps are for, if there are none yet.
    ///
    /// # Errors
    /// What is wrong, to stand behind the optimizer's name, where they are others.
    pub(crate) fn build(
        &mut self,
        layers: Vec<u64>,
        names: impl Fn() -> Vec<String>,
    ) -> Result<(), String> {
        match &self.0 {
            None => {
                self.0 = Some((layers, names()));
                Ok(())
            }
            Some((known, _)) if *known == layers => Ok(()),
            Some((_, known)) => {
                let others = names();
                let alike = match others == *known {
                    true => "other layers of the same names, ",
                    false => "",
                };
                Err(format!(
                    "was built for the weights of {}, and keeps what belongs to these; here it would change those of \
                     {alike}{}: make a new optimizer for them",
                    listed(known),
                    listed(&others)
                ))
            }
        }
    }

    /// Whether the steps are for the layers of these numbers.
    pub(crate) fn is_for(&self, layers: &[u64]) -> bool {
        self.0.as_ref().is_some_and(|(known, _)| known == layers)
    }

    /// Makes the next step decide, for a copy whose weights were copied, too.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "no layer".to_string(),
        [first, second, third, _, ..] => format!("{first}, {second}, {third}, …"),
        few => few.join(", "),
    }
}
