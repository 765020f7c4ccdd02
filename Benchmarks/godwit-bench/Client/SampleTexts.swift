/// What people write to each other in the field, made up: no two of the first 100,000 are alike.
enum SampleTexts {
    static func text(_ number: Int) -> String {
        let (line, detail) = (lines[number % lines.count], number / lines.count)
        return line.replacing("#", with: "\(number * 7 % 90 + 10)")
            .replacing("%", with: details[detail % details.count])
            + (detail < details.count ? "" : " (\(detail))")
    }

    private static let details = [
        "the school", "the north bridge", "post 3", "the clinic", "Mr Okafor's farm", "the ferry landing", "camp B",
        "the old mill", "the water tower", "depot 2", "the upper road", "the market", "the radio hut", "house 14",
        "the pumping station", "the football ground", "the chapel", "the east dyke", "the bus station", "the harbour",
    ]

    private static let lines = [
        "Water at % is up by # cm since this morning.",
        "ok",
        "Can somebody bring # blankets and two stoves to %? The families there have nothing dry.",
        "On our way to %, about # minutes.",
        "The generator at % has diesel for # hours, after that the pump stops. Who has a spare can?",
        "Danke, ist angekommen.",
        "Need # insulin pens at %, type in the list from yesterday. Cold box please!",
        "Le camion est bloqué près de %, il nous faut # personnes pour pousser.",
        "Done. # people registered at %, list follows tonight.",
        "Where is the key for %?",
        "Two patients from %, one with a fracture, one dehydrated. ETA # minutes. Please have a stretcher ready.",
        "👍",
        "I can't reach anybody at % by radio since # past. Can you try from your side?",
        "El puente de % está cerrado, usen el camino de arriba. Demora # minutos.",
        "Battery of the repeater near % is at # percent, I'll change it before dark.",
        "yes, tomorrow at 8",
        "We have # sacks of rice left at %. At two sacks a day that is not long.",
        "Please don't drink from the well at %, the test was positive. # l of bottled water are on the boat.",
        "Meeting moved to %, # past six. Bring the map and the new lists.",
        "Who took the chainsaw from %? We need it for the tree on the line.",
        "Ana says the road to % is open again for cars, not for trucks. She counted # cars waiting.",
        "Thanks everybody, # houses around % have power again!",
        "Weather: rain from #:00 on, gusts near %. Tie down the tents.",
        "Maji yamepanda karibu na %, watu # wanahitaji msaada.",
        "Not yet.",
        "The boy from % was found, he is well. His aunt is with him. Stop the search party, # volunteers can go home.",
        "Next boat leaves % at #. Six seats, the sick first.",
        "Can you read this? Link is bad here, at % it was better.",
        "Inventory %: # tarps, 4 ropes, 1 tent (torn), 12 torches, no batteries.",
        "Call me when you are at %.",
        "How many are you at %? I count #, the list says more.",
        "Спасибо, получили. У % осталось # коробок.",
        "Doctor is at % until noon, then at the clinic. # people wait already.",
        "The dyke near % leaks at marker #. Not much, but somebody should watch it through the night.",
        "Fuel arrived, # l, stored at %. Sign for it please.",
        "No news from % today.",
        "Could you ask at % whether they still have the big pump? Ours gave up after # hours.",
        "lol, same here",
        "I'll take the night shift at %, swap with me on day #?",
        "Correction to my last: it is %, not the depot, and # not 40.",
    ]
}
