//! Whether two lines name the same thing: a module of the cluster, and a library.

/// So many letters in a row that two names share are no chance.
const ALIKE: usize = 3;

/// True if one text names modules, the other a library, and none of the modules
/// is called like the library. False where either names nothing that is known.
pub(super) fn are_unlike(one: &str, other: &str) -> bool {
    let unlike = |modules: &str, library: &str| {
        let (modules, library) = (modules_in(modules), library_in(library));
        library.is_some_and(|library| {
            !modules.is_empty() && !modules.iter().any(|module| is_alike(module, &library))
        })
    };
    unlike(one, other) || unlike(other, one)
}

/// The names in quotes, without their versions: `ucx-cuda` of `"ucx-cuda/1.15.0"`.
fn modules_in(text: &str) -> Vec<String> {
    let quoted = text.split(['"', '\'']).skip(1).step_by(2);
    let names = quoted.map(|name| name.split('/').next().unwrap_or_default().to_ascii_lowercase());
    names.filter(|name| name.bytes().any(|byte| byte.is_ascii_alphabetic())).collect()
}

/// The name of a shared library, without `lib` and what follows: `hdf5_parallel` of
/// `libhdf5_parallel.so.310`.
fn library_in(text: &str) -> Option<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || matches!(letter, ':' | '\'' | '"' | '/'));
    let names = words.filter_map(|word| word.split_once(".so")).map(|(name, _)| name);
    let name = names.filter_map(|name| name.strip_prefix("lib")).find(|name| !name.is_empty())?;
    Some(name.to_ascii_lowercase())
}

/// True if a part of the module's name stands in that of the library, or begins as
/// that does: NVIDIA's `cublas` is of `cuda`.
fn is_alike(module: &str, library: &str) -> bool {
    let mut parts = module.split(|letter: char| !letter.is_ascii_alphabetic());
    let begins = |part: &str| part.get(..2).is_some_and(|begin| library.starts_with(begin));
    parts.any(|part| {
        begins(part)
            || part
                .as_bytes()
                .windows(ALIKE)
                .any(|some| library.as_bytes().windows(ALIKE).any(|other| other == some))
    })
}

#[cfg(test)]
mod tests {
    use super::are_unlike;

    fn lmod(name: &str) -> String {
        format!("Lmod has detected the following error:  The following module(s) are unknown: {name}")
    }

    #[test]
    fn a_module_of_another_name_is_not_that_of_the_library() {
        let library = |name: &str| {
            format!("./solve: error while loading shared libraries: {name}: cannot open shared object file")
        };
        for (module, name) in [
            ("\"ucx-cuda/1.15.0\"", "libhdf5_parallel.so.310"),
            ("\"python/3.11\"", "libcudnn.so.9"),
            ("\"gdal/3\" \"proj/9\"", "libnetcdf.so.19"),
        ] {
            assert!(are_unlike(&lmod(module), &library(name)), "{module} {name}");
            assert!(are_unlike(&library(name), &lmod(module)), "{module} {name}");
        }
        for (module, name) in [
            ("\"cuda/12.1\"", "libcudart.so.12"),
            ("\"cuda/12.1\"", "libcublas.so.12"),
            ("\"openmpi/4.1\"", "libmpi.so.40"),
            ("\"hdf5/1.14.3-mpi\"", "libhdf5_parallel.so.310"),
            ("\"gcc/12\" \"netcdf-c/4.9\"", "libnetcdf.so.19"),
            // Nothing is named.
            ("", "libmpi.so.40"),
            ("\"12\"", "libmpi.so.40"),
            ("\"openmpi/4.1\"", "a library"),
        ] {
            assert!(!are_unlike(&lmod(module), &library(name)), "{module} {name}");
        }
    }
}
