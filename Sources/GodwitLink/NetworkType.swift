/// Kind of link (004 §13.1, `type`). Steers defaults and scheduling, not the tier (G-71).
public enum NetworkType: String, Sendable, CaseIterable {
    case mobile, broadband, satellite, meshnet
}

/// How far a link can be relied on (004 §13.1, `reliability`).
public enum Reliability: String, Sendable, CaseIterable {
    case stable, intermittent, unreliable
}
