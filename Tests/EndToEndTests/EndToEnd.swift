import Testing

/// Everything here starts processes, and each demo starts seven: one test at a time of either kind, so that none starves
/// another.
@Suite("End to end")
enum EndToEnd {
    /// Nodes, their links and whoever else speaks with them.
    @Suite("Networks", .serialized)
    enum Networks {}

    /// What people do at the command line and in the terminal.
    @Suite("At the command line", .serialized)
    enum Commands {}
}
