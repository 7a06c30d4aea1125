extension RunDirectory {
    /// Asks whether another process trains the run; changes nothing of it.
    ///
    /// - Throws: `RunError.held`, naming the process.
    package func requireNotHeld() throws(RunError) { try RunLock.requireFree(path) }
}
