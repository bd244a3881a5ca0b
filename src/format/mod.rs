//! Small file formats that several folders read and write.
