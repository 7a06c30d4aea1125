import Optimizers
import TensorCore
import Testing

@Suite struct `Clipping` {
    @Test func `by norm scales all gradients by one factor`() throws {
        let parameters = [Parameter([0, 0], shape: [2]), Parameter([0], shape: [1]), Parameter([0], shape: [1])]
        give([3, 0], to: parameters[0])
        give([-4], to: parameters[1])
        #expect(clipGradientNorm(parameters, maxNorm: 10) == 5)
        #expect(try #require(parameters[0].gradient).values == [3, 0])
        #expect(clipGradientNorm(parameters, maxNorm: 1) == 5)
        // 1/(5 + 1e-6)
        #expect(try abs(#require(parameters[0].gradient).values[0] - 0.6) < 1e-6)
        #expect(try abs(#require(parameters[1].gradient).values[0] + 0.8) < 1e-6)
    }

    @Test func `by value brings each element to its bound`() throws {
        let parameter = Parameter([0, 0, 0, 0, 0], shape: [5])
        give([3, -0.5, -7, 0.5, .nan], to: parameter)
        clipGradientValue([parameter, Parameter([0], shape: [1])], clipValue: 0.5)
        let values = try #require(parameter.gradient).values
        #expect(values.prefix(4) == [0.5, -0.5, -0.5, 0.5])
        #expect(values[4].isNaN)
    }

    @Test func `by a negative value is refused`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            clipGradientValue([], clipValue: -1)
        }
        expect(result, says: "clipGradientValue: a bound of -1.0; expected 0 or a positive number")
    }
}
