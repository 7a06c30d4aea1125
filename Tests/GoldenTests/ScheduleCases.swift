import Interchange
import Optimizers
import TensorCore

/// Follows the learning rate of an optimiser that a schedule drives.
func runScheduleCase(_ golden: GoldenCase) throws -> Deviations {
    let expected = try golden.file.floats("rate")
    let optimizer = SGD([Parameter([0], shape: [1])], learningRate: try golden.members.number("lr"))
    let advance = try makeSchedule(golden, optimizer)
    let metrics = golden.members.has("metrics") ? try golden.members.numbers("metrics") : nil
    var rates: [Float] = []
    for step in expected.indices {
        rates.append(Float(optimizer.learningRate))
        optimizer.step()
        try advance(metrics?[step])
    }
    var deviations = Deviations()
    try deviations.compare("rate", rates, expected)
    return deviations
}

/// Makes the schedule and returns its step.
private func makeSchedule(_ golden: GoldenCase, _ optimizer: SGD) throws -> (Double?) throws -> Void {
    let options = golden.options
    if golden.kind == "ReduceLROnPlateau" {
        let plateau = try makePlateau(options, optimizer)
        return { metric in
            guard let metric else { throw GoldenError("\(golden.name): no metric") }
            plateau.step(metric)
        }
    }
    let schedule: LRScheduler
    switch golden.kind {
    case "StepLR":
        try allow(options, ["step_size", "gamma"])
        schedule = StepLR(
            optimizer, stepSize: try options.integer("step_size"), gamma: try options.number("gamma", default: 0.1))
    case "ExponentialLR":
        try allow(options, ["gamma"])
        schedule = ExponentialLR(optimizer, gamma: try options.number("gamma"))
    case "CosineAnnealingLR":
        try allow(options, ["T_max", "eta_min"])
        schedule = CosineAnnealingLR(
            optimizer, tMax: try options.integer("T_max"), etaMin: try options.number("eta_min", default: 0))
    case "LinearLR":
        try allow(options, ["start_factor", "end_factor", "total_iters"])
        schedule = LinearLR(
            optimizer, startFactor: try options.number("start_factor", default: 1.0 / 3),
            endFactor: try options.number("end_factor", default: 1),
            totalIters: try options.integer("total_iters", default: 5))
    case "OneCycleLR": schedule = try makeOneCycle(options, optimizer)
    case "WarmupCosine":
        try options.allow(only: ["warmup_steps", "start_factor", "T_max", "eta_min"])
        schedule = WarmupCosine(
            optimizer, warmupSteps: try options.integer("warmup_steps"),
            startFactor: try options.number("start_factor"),
            tMax: try options.integer("T_max"), etaMin: try options.number("eta_min"))
    default: throw GoldenError("no schedule \(golden.kind)")
    }
    return { _ in schedule.step() }
}

/// Every schedule may be told that it begins, which it does anyway.
private func allow(_ options: GoldenOptions, _ names: [String]) throws {
    try options.allow(only: names + ["last_epoch"])
    guard try options.integer("last_epoch", default: -1) == -1 else {
        throw GoldenError("option last_epoch: expected -1")
    }
}

private func makeOneCycle(_ options: GoldenOptions, _ optimizer: SGD) throws -> OneCycleLR {
    try allow(
        options,
        [
            "max_lr", "total_steps", "epochs", "steps_per_epoch", "pct_start", "anneal_strategy", "cycle_momentum",
            "base_momentum", "max_momentum", "div_factor", "final_div_factor", "three_phase",
        ])
    let steps =
        options.has("total_steps")
        ? try options.integer("total_steps") : try options.integer("epochs") * options.integer("steps_per_epoch")
    return OneCycleLR(
        optimizer, maxLR: try options.numbers("max_lr"), totalSteps: steps,
        pctStart: try options.number("pct_start", default: 0.3),
        annealStrategy: try options.choice("anneal_strategy", default: .cos),
        cycleMomentum: try options.flag("cycle_momentum", default: true),
        baseMomentum: try options.numbers("base_momentum", default: [0.85]),
        maxMomentum: try options.numbers("max_momentum", default: [0.95]),
        divFactor: try options.number("div_factor", default: 25),
        finalDivFactor: try options.number("final_div_factor", default: 1e4),
        threePhase: try options.flag("three_phase", default: false))
}

private func makePlateau(_ options: GoldenOptions, _ optimizer: SGD) throws -> ReduceLROnPlateau {
    try options.allow(only: [
        "mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps",
    ])
    return ReduceLROnPlateau(
        optimizer, mode: try options.choice("mode", default: .min), factor: try options.number("factor", default: 0.1),
        patience: try options.integer("patience", default: 10),
        threshold: try options.number("threshold", default: 1e-4),
        thresholdMode: try options.choice("threshold_mode", default: .rel),
        cooldown: try options.integer("cooldown", default: 0), minLR: try options.numbers("min_lr", default: [0]),
        epsilon: try options.number("eps", default: 1e-8))
}
