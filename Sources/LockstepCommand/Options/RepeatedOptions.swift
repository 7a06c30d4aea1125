/// Options that were given twice with different values, of which the parser would silently take the last.
enum RepeatedOptions {
    /// Refuses a command line, which the parser has understood, in which one option has two values.
    static func refuse(_ words: [String]) throws {
        let words = Array(words.prefix { $0 != "--" })
        // Rare: what takes a value is found out only where a name is there twice.
        let names = words.filter { $0.hasPrefix("--") }.map(CommandDescription.name(of:))
        guard Set(names).count < names.count else { return }
        let takingValues = try CommandDescription(of: words).namesTakingValues
        var values: [String: String] = [:]
        var place = 0
        while place < words.count {
            let (word, name) = (words[place], CommandDescription.name(of: words[place]))
            place += 1
            guard takingValues.contains(name) else { continue }
            let value: String
            if let equals = word.firstIndex(of: "=") {
                value = String(word[word.index(after: equals)...])
            } else {
                guard place < words.count else { return }
                value = words[place]
                place += 1
            }
            guard let before = values.updateValue(value, forKey: name), before != value else { continue }
            throw UsageError("\(name) \(before) and \(name) \(value): expected one of the two")
        }
    }
}
