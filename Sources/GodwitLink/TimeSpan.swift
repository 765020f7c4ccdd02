/// Times as operators write them: `90s`, `15m`, `1h30m`, `14d`.
public enum TimeSpan {
    private static let units: [(unit: Character, seconds: Int64)] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]

    /// Whole numbers with their units, larger units first, each at most once; at most 20 characters.
    /// - Returns: nil for anything else.
    public static func read(_ text: String) -> Duration? {
        guard (2...20).contains(text.utf8.count) else { return nil }
        var rest = text[...]
        var seconds: Int64 = 0
        for (unit, worth) in units {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard rest.dropFirst(digits.count).first == unit else { continue }
            guard (1...7).contains(digits.utf8.count), let count = Int64(digits) else { return nil }
            seconds += count * worth
            rest = rest.dropFirst(digits.count + 1)
        }
        return rest.isEmpty ? .seconds(seconds) : nil
    }

    /// - Parameter time: cut to whole seconds.
    public static func text(_ time: Duration) -> String {
        var left = max(time.components.seconds, 0)
        var text = ""
        for (unit, worth) in units where left >= worth {
            text += "\(left / worth)\(unit)"
            left %= worth
        }
        return text.isEmpty ? "0s" : text
    }
}
