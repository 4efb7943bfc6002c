//! From check-in to acceptance: checklist, photos, rework.
