/// Stops the program with a sentence when its author broke a rule.
///
/// Like `precondition`, whose sentence an optimised build leaves out; here it is printed in every build, because a shape that
/// disagrees is what people get wrong first.
package func require(
    _ condition: @autoclosure () -> Bool, _ sentence: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    if !condition() { fatalError(sentence(), file: file, line: line) }
}
