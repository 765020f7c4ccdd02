import Testing

/// Everything here starts processes, and each demo starts seven: one test at a time, so that none starves another.
@Suite("End to end", .serialized)
enum EndToEnd {}
