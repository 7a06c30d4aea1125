import Foundation

/// A path that stays true when the process is elsewhere, for run.json and for messages.
///
/// Nothing in it is taken apart: `..` behind a symbolic link leads where the system says, and `~` is a name like any other.
func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
}
