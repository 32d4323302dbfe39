from activelab.labels import Labels
