internal import Foundation
internal import Messaging

extension Context {
    /// Terminates, but leaves it to go on beside the caller after a while: a peer that went away in the wrong moment must not keep a
    /// training from ending.
    func terminateSoon() {
        let work = BackgroundWork { self.terminate() }
        let deadline = ContinuousClock.now + .seconds(3)
        while !work.isDone, ContinuousClock.now < deadline { usleep(1_000) }
    }
}
