// One message a line: breaking the lines would break the corpus.
// swift-format-ignore-file

/// The conversation that `godwit demo` carries when no `--corpus` is given: a morning of a flood relief, a
/// hundred messages of thirteen people in nine languages, written for this purpose.
///
/// JSON lines: `ts` (Unix seconds), `author` (a nick), `text`, and either `channel` or, for a direct message, `to` (the
/// nick of another author). `Sam` and `sam` are two people: their nicks fold to the same username.
enum DemoConversation {
    static let lines = #"""
        {"ts":1773466632,"author":"Inés","channel":"#flood-response","text":"Good morning all. Night shift hands over at 06:00. Gauge at the old bridge 4.82 m, still rising 3 cm an hour."}
        {"ts":1773466729,"author":"olena_mesh","channel":"#flood-response","text":"Доброго ранку. Ретранслятор на водонапірній вежі працює, акумулятор 71 %. Супутник відкритий до 06:20."}
        {"ts":1773466811,"author":"Rafiq","channel":"#flood-response","text":"সুপ্রভাত। নৌকা ২ প্রস্তুত, জ্বালানি ৪০ লিটার। আমরা উত্তর পাড়া থেকে শুরু করছি।"}
        {"ts":1773466935,"author":"Baptiste","channel":"#flood-response","text":"Bateau 1 prêt aussi. Moteur réparé cette nuit, on part vers l'école Saint-Joseph."}
        {"ts":1773467001,"author":"dr.Amina","channel":"#flood-response","text":"Clinic opened at 05:30. 14 patients waiting, mostly fever and infected cuts. Two beds free."}
        {"ts":1773467041,"author":"Layla","channel":"#clinic/supplies","text":"صباح الخير، نحتاج إلى محاليل وريدية قبل الظهر."}
        {"ts":1773467145,"author":"João","channel":"#clinic/supplies","text":"Bom dia. No armazém: 62 caixas de água, 18 de sais de reidratação, 9 de luvas. O camião sai às 7h se a estrada deixar."}
        {"ts":1773467197,"author":"Inés","channel":"#clinic/supplies","text":"> O camião sai às 7h\nTake the upper road. The ford at kilometre 11 is closed since midnight."}
        {"ts":1773467268,"author":"João","to":"Inés","text":"Estrada de cima então. Mais 40 minutos, mas o motorista conhece-a bem."}
        {"ts":1773467313,"author":"Inés","to":"João","text":"Gracias. Que lleve la radio encendida, canal 4, y avise en cada puente."}
        {"ts":1773467463,"author":"Nadia","channel":"#flood-response","text":"Pluie en amont : 38 mm depuis hier soir. Je prévois la crue maximale entre 14 h et 16 h, environ 5,30 m au vieux pont."}
        {"ts":1773467524,"author":"Inés","channel":"#flood-response","text":"Everyone: plan for 5.30 m at 15:00. Everything below the market street must be empty by noon: people first, then animals, then fuel and papers. No one goes back for furniture."}
        {"ts":1773467602,"author":"Kofi","channel":"#flood-response","text":"Copy. I move the fuel drums up to the church hall now, 11 of them."}
        {"ts":1773467692,"author":"Meera","channel":"#flood-response","text":"मंदिर के पास का हैंडपंप पानी में डूब गया है। उस पानी को मत पीजिए, क्लोरीन की गोलियाँ बाँट रही हूँ।"}
        {"ts":1773467808,"author":"Rafiq","channel":"#flood-response","text":"উত্তর পাড়ায় ৩টি পরিবার ছাদে আছে, মোট ১৪ জন, ৫টি শিশু। প্রথম ৭ জনকে তুলছি।"}
        {"ts":1773467837,"author":"Inés","channel":"#flood-response","text":"Received, boat 2. 7 now, 7 next. Bring the children to the school gym, not to the clinic, unless hurt."}
        {"ts":1773467886,"author":"Rafiq","channel":"#flood-response","text":"ঠিক আছে, বুঝেছি 👍"}
        {"ts":1773468017,"author":"Sam","channel":"#flood-response","text":"Helicopter on ground until 09:00, ceiling 300 ft. I will not fly before it lifts."}
        {"ts":1773468073,"author":"Nadia","to":"Sam","text":"Tu devrais avoir une éclaircie vers 9 h 30, pas avant. Vent de sud-ouest, 25 nœuds en rafales."}
        {"ts":1773468161,"author":"Sam","to":"Nadia","text":"Thanks, that helps. I'll brief the crew at nine."}
        {"ts":1773468256,"author":"Baptiste","channel":"#flood-response","text":"École Saint-Joseph : 41 personnes à l'étage, calmes. Une femme enceinte, contractions toutes les 12 minutes."}
        {"ts":1773468289,"author":"dr.Amina","channel":"#flood-response","text":"Baptiste, bring her first, lying on her left side. We prepare the back room."}
        {"ts":1773468327,"author":"Baptiste","channel":"#flood-response","text":"Compris, on la prend avec sa sœur. Arrivée dans 25 min."}
        {"ts":1773468374,"author":"dr.Amina","to":"Layla","text":"Andaa chumba cha nyuma tafadhali, mama mjamzito anakuja kwa boti. Dakika 25."}
        {"ts":1773468417,"author":"Layla","to":"dr.Amina","text":"حاضر، الغرفة جاهزة والماء الساخن أيضًا."}
        {"ts":1773468528,"author":"sam","channel":"#clinic/supplies","text":"Warehouse night count is done: tents 23, blankets 410, jerrycans 95, tarpaulins 60."}
        {"ts":1773468582,"author":"João","channel":"#clinic/supplies","text":"> tents 23\nOntem contei 25. Duas foram para a escola, está certo."}
        {"ts":1773468720,"author":"Tomas","channel":"#flood-response","text":"El generador de la clínica pierde aceite. Lo paro diez minutos a las 07:15 para cambiar la junta, ¿de acuerdo?"}
        {"ts":1773468755,"author":"dr.Amina","channel":"#flood-response","text":"Not at 07:15! Delivery on the way. Can it wait until nine?"}
        {"ts":1773468786,"author":"Tomas","channel":"#flood-response","text":"Aguanta hasta las nueve, le pongo aceite cada hora."}
        {"ts":1773468905,"author":"olena_mesh","channel":"#flood-response","text":"Вікно супутника закривається через 5 хвилин. Далі тільки радіомережа, повільно: 2400 біт/с. Фото не надсилайте."}
        {"ts":1773469140,"author":"Inés","channel":"#flood-response","text":"No photos, no voice notes until the next window at 08:40 please. Text only."}
        {"ts":1773469393,"author":"Kofi","channel":"#flood-response","text":"Fuel drums are up. Who has the key of the church hall? The caretaker left it with somebody."}
        {"ts":1773469596,"author":"Meera","channel":"#flood-response","text":"चाबी मेरे पास है, दस मिनट में लाती हूँ 🔑"}
        {"ts":1773470100,"author":"Rafiq","channel":"#flood-response","text":"প্রথম ৭ জন স্কুলে পৌঁছেছে। একজন বৃদ্ধের পা কেটে গেছে, তাঁকে ক্লিনিকে নিচ্ছি।"}
        {"ts":1773470320,"author":"Layla","channel":"#clinic/supplies","text":"أرسلوه، عندنا ضماد كافٍ لكن لقاح الكزاز على وشك النفاد: 6 جرعات فقط."}
        {"ts":1773470596,"author":"dr.Amina","channel":"#clinic/supplies","text":"Request: 60 tetanus doses, 40 l Ringer's lactate, amoxicillin suspension 30 bottles. Cold box please."}
        {"ts":1773470759,"author":"João","channel":"#clinic/supplies","text":"Tétano está no frigorífico da câmara municipal. Preciso da autorização de alguém da saúde."}
        {"ts":1773470938,"author":"João","to":"dr.Amina","text":"Pode mandar uma frase com o seu número de registo? Basta para o guarda."}
        {"ts":1773471255,"author":"dr.Amina","to":"João","text":"Authorised by Dr Amina Wanjiru, register 20417, for the flood clinic. Sixty doses of tetanus vaccine."}
        {"ts":1773471393,"author":"João","to":"dr.Amina","text":"Obrigado, o guarda já abriu. Seguem no primeiro camião, em caixa fria."}
        {"ts":1773471760,"author":"Nadia","channel":"#flood-response","text":"Vieux pont 4,91 m à 07:00. La montée ralentit un peu, mais l'affluent de l'est n'est pas encore arrivé."}
        {"ts":1773471908,"author":"Baptiste","channel":"#flood-response","text":"La dame est arrivée à la clinique. Le bateau repart, il reste 39 personnes à l'école."}
        {"ts":1773472031,"author":"Inés","channel":"#flood-response","text":"Boat 1: elders and small children first, then by family. Please do not split families again."}
        {"ts":1773472109,"author":"Baptiste","to":"Inés","text":"Promis. Hier c'était ma faute, le petit garçon a retrouvé sa mère à minuit."}
        {"ts":1773472343,"author":"Kofi","channel":"#flood-response","text":"Road report: upper road passable for trucks, mud at the quarry. Lower road gone between km 9 and km 12."}
        {"ts":1773472430,"author":"sam","channel":"#clinic/supplies","text":"Driver says he is at the quarry and it looks fine. ETA clinic 08:10."}
        {"ts":1773472545,"author":"Tomas","to":"Kofi","text":"¿Te quedan bidones de aceite 15W-40? Necesito cinco litros antes de las nueve."}
        {"ts":1773472680,"author":"Kofi","to":"Tomas","text":"Two cans of four litres in the blue container, behind the ropes. Take both and write it on the list."}
        {"ts":1773472787,"author":"Tomas","to":"Kofi","text":"Eres un sol. Apuntado."}
        {"ts":1773473051,"author":"olena_mesh","channel":"#flood-response","text":"Вузол «млин» зник о 07:22. Мабуть, залило батарею. Маршрут через школу тримається, затримка 9 с."}
        {"ts":1773473247,"author":"Inés","channel":"#flood-response","text":"Can somebody pass by the mill with a spare battery? Only if it is on your way."}
        {"ts":1773473510,"author":"Rafiq","channel":"#flood-response","text":"আমরা মিলের পাশ দিয়ে যাব। ব্যাটারি কোথায় পাব?"}
        {"ts":1773473658,"author":"olena_mesh","channel":"#flood-response","text":"Rafiq, у спортзалі, жовта скринька біля дверей, кабель усередині. Полярність: червоний до червоного!"}
        {"ts":1773473781,"author":"Rafiq","channel":"#flood-response","text":"লাল থেকে লাল 😄 বুঝেছি।"}
        {"ts":1773474027,"author":"Meera","to":"Tomas","text":"स्कूल का पंप चल नहीं रहा, शायद फ्यूज़ उड़ गया है। समय मिले तो देख लेना, धन्यवाद।"}
        {"ts":1773474602,"author":"Layla","channel":"#flood-response","text":"مبروك! فتاة، 3.1 كيلو، الأم بخير 🎉"}
        {"ts":1773474692,"author":"Baptiste","channel":"#flood-response","text":"Magnifique !! Tout le bateau applaudit 👏"}
        {"ts":1773474766,"author":"Inés","channel":"#flood-response","text":"Best news of the week. Tell the mother that the whole valley sends its love."}
        {"ts":1773474881,"author":"Meera","channel":"#flood-response","text":"बहुत-बहुत बधाई! 🌸"}
        {"ts":1773475053,"author":"Layla","to":"Baptiste","text":"الأم تريد أن تسمي الطفلة باسم القارب. ما اسم قاربكم؟"}
        {"ts":1773475349,"author":"Baptiste","to":"Layla","text":"Il s'appelle « Hirondelle ». Dis-lui que c'est un honneur."}
        {"ts":1773475743,"author":"João","channel":"#clinic/supplies","text":"Camião chegou à clínica 08:06: 60 doses de tétano (3,8 °C), 40 l de Ringer, 30 frascos de amoxicilina. Falta assinar."}
        {"ts":1773475989,"author":"Layla","channel":"#clinic/supplies","text":"تم الاستلام والتوقيع، كل شيء مطابق."}
        {"ts":1773476413,"author":"sam","channel":"#clinic/supplies","text":"Second truck loads now. What else is missing? Tell me before 08:30."}
        {"ts":1773476630,"author":"dr.Amina","channel":"#clinic/supplies","text":"Soap, bleach, paediatric cannulas 24G, and batteries AA for the oximeters. Anything for diarrhoea in children."}
        {"ts":1773476886,"author":"Meera","channel":"#clinic/supplies","text":"ब्लीचिंग पाउडर 50 किलो और साबुन 300, स्कूल के लिए भी चाहिए।"}
        {"ts":1773477083,"author":"sam","channel":"#clinic/supplies","text":"Got it. Cannulas: only 22G left, 80 pieces. I send those and keep asking."}
        {"ts":1773477606,"author":"Inés","channel":"#flood-response","text":"08:40, the satellite window is open for 12 minutes. Short situation reports please, one line for each team."}
        {"ts":1773477638,"author":"Rafiq","channel":"#flood-response","text":"নৌকা ২: ২১ জন উদ্ধার, ২ জন আহত, জ্বালানি ২৬ লিটার। মিলের ব্যাটারি বদলানো হয়েছে।"}
        {"ts":1773477665,"author":"Baptiste","channel":"#flood-response","text":"Bateau 1 : 26 évacués, 15 restent à l'école, carburant pour deux trajets."}
        {"ts":1773477701,"author":"dr.Amina","channel":"#flood-response","text":"Clinic: 37 seen, 1 birth, 3 to transfer when the helicopter flies. Three beds free."}
        {"ts":1773477730,"author":"Kofi","channel":"#flood-response","text":"Logistics: upper road open, fuel 1,900 l, one truck with a flat tyre."}
        {"ts":1773477755,"author":"Meera","channel":"#flood-response","text":"पानी: 4 टंकियाँ साफ़, 2 दूषित, शौचालय स्कूल में 6 लगाए, 4 और चाहिए।"}
        {"ts":1773477793,"author":"olena_mesh","channel":"#flood-response","text":"Мережа: 9 вузлів з 10, «млин» знову є 🙌 Дякую, човен 2."}
        {"ts":1773477836,"author":"Tomas","channel":"#flood-response","text":"Energía: clínica con generador hasta las 09:00, luego pausa de 10 min. Escuela con paneles, 60 %."}
        {"ts":1773477869,"author":"João","channel":"#flood-response","text":"Armazém: segundo camião sai às 8h50, terceiro ao meio-dia se houver pneu."}
        {"ts":1773478035,"author":"Inés","channel":"#flood-response","text":"Thank you, sent to the capital. They ask how many people are still below the 5.30 m line. Best estimate?"}
        {"ts":1773478135,"author":"Nadia","channel":"#flood-response","text":"D'après la carte et les listes : entre 180 et 220, surtout derrière la scierie et au bord du canal."}
        {"ts":1773478214,"author":"Rafiq","channel":"#flood-response","text":"খালের ধারে অন্তত ৬০ জন, আমি নিজে দেখেছি। দুইটি নৌকা লাগবে।"}
        {"ts":1773478279,"author":"Inés","channel":"#flood-response","text":"Boats 1 and 2 go to the canal together after the school is empty. Kofi, can you find a third boat?"}
        {"ts":1773478404,"author":"Kofi","channel":"#flood-response","text":"The fishermen's cooperative lends two boats with crews. They ask for fuel and life jackets for eight."}
        {"ts":1773478445,"author":"Inés","channel":"#flood-response","text":"Granted. Write down the names of the crews, they are part of the team now."}
        {"ts":1773478518,"author":"Kofi","to":"Inés","text":"They also ask whether they are paid. I said fuel and food, the rest later. Was that right?"}
        {"ts":1773478603,"author":"Inés","to":"Kofi","text":"Yes. I will put it before the district officer tonight. Nobody works for nothing here."}
        {"ts":1773478788,"author":"Tomas","channel":"#flood-response","text":"Paro el generador de la clínica ahora, 09:00. Vuelvo en diez minutos."}
        {"ts":1773478871,"author":"dr.Amina","channel":"#flood-response","text":"Sawa. Taa za mkononi ziko tayari, wagonjwa wote wako salama."}
        {"ts":1773479310,"author":"Tomas","channel":"#flood-response","text":"Listo: ocho minutos. Junta nueva, sin fugas 💪"}
        {"ts":1773479513,"author":"Sam","channel":"#flood-response","text":"Ceiling 900 ft and lifting. We fly at 09:35. Three patients from the clinic roof, who goes with them?"}
        {"ts":1773479617,"author":"Layla","channel":"#flood-response","text":"أنا أرافقهم. الحالات: كسر في الحوض، طفل مصاب بالجفاف الشديد، وحروق في اليد."}
        {"ts":1773479751,"author":"Sam","to":"Layla","text":"Landing from the east side. Keep everyone behind the wall until I show you thumbs up."}
        {"ts":1773479844,"author":"Layla","to":"Sam","text":"مفهوم، خلف الجدار حتى الإشارة."}
        {"ts":1773480262,"author":"Nadia","channel":"#flood-response","text":"Attention : l'affluent de l'est arrive. Vieux pont 5,02 m, +9 cm en trente minutes. La pointe sera plutôt à 13 h."}
        {"ts":1773480308,"author":"Inés","channel":"#flood-response","text":"ALL TEAMS: peak now expected at 13:00, not 15:00. Market street empty by 11:00. Acknowledge."}
        {"ts":1773480349,"author":"Baptiste","channel":"#flood-response","text":"Reçu, bateau 1. École vide dans 20 minutes."}
        {"ts":1773480384,"author":"Rafiq","channel":"#flood-response","text":"পেয়েছি, নৌকা ২। খালের দিকে যাচ্ছি।"}
        {"ts":1773480436,"author":"Kofi","channel":"#flood-response","text":"Ack. Sirens at the market in five minutes, both cooperative boats are on the water."}
        {"ts":1773480482,"author":"Meera","channel":"#flood-response","text":"मिल गया। बाज़ार में घर-घर जा रही हूँ।"}
        {"ts":1773480546,"author":"olena_mesh","channel":"#flood-response","text":"Прийнято. Усі вузли отримали попередження, підтвердження 10 з 10."}
        {"ts":1773481940,"author":"Inés","channel":"#flood-response","text":"All acknowledged. Stay in pairs, wear the jackets, drink water. We speak again at 10:00. 🌊🛶"}
        """#
}
