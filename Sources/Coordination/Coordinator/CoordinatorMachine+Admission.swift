/// Whose messages count, where there are keys.
extension CoordinatorMachine {
    /// Whether a message under this name may be looked at; counts it if not.
    ///
    /// A stranger's message is dropped without a word: an answer would go to the worker whose name it bears.
    mutating func admits(_ worker: WorkerID, _ key: PeerKey?) -> Bool {
        if configuration.requiresKeys {
            guard let key, !revokedKeys.contains(key) else {
                countStale(.notAdmitted)
                return false
            }
        }
        if let member = members[worker], member.key != key {
            countStale(.otherKey)
            return false
        }
        return true
    }

    /// Whether a key was taken off the allow-list: nothing that comes with it is looked at.
    package func isRevoked(_ key: PeerKey) -> Bool { revokedKeys.contains(key) }

    /// Takes the workers of a key off the roster, for good. The handshake refuses the key from now on; connections that stand are
    /// not listened to, and are for the shell to cut.
    mutating func revoke(_ key: PeerKey) {
        revokedKeys.insert(key)
        for member in membersInOrder where member.key == key {
            expel(member.id, Refusal(.key, "the key of this worker was revoked"), reason: "its key was revoked")
        }
    }
}
