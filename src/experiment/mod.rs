//! Arms of an experiment, compared.
