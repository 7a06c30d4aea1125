import Foundation
import Testing
import Training

@Suite(.tags(.processes), .timeLimit(.minutes(3)))
struct `A run that is read while it is trained` {
    @Test func `gives its newest checkpoint, whenever the one before is let go of`() throws {
        let place = try Workplace()
        let run = "\(place.path)/run"
        let process = try place.start([
            "train", "--set", "hello", "--steps", "4000000", "--checkpoint-every", "1", "--keep-checkpoints", "1",
            "--validation-every", "4000000", "--run", run,
        ])
        #expect(process.wait { (try? TrainedRun(path: run)) != nil }, "\(process.errors)")
        var steps: [UInt64] = []
        while process.isRunning, Set(steps).count < 60 {
            let trained = try TrainedRun(path: run)
            #expect(trained.notes.isEmpty, "\(trained.notes)")
            steps.append(trained.step)
        }
        #expect(process.isRunning && steps == steps.sorted(), "\(steps)")
        process.signal(SIGKILL)
        _ = process.wait()
    }
}
