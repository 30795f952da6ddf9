/** The finding about silences themselves: an id that is none, or no reason given. */
export default {
  id: 'silence',
  reason: 'a silence that silences nothing, or says no reason, misleads the next reader',
};
